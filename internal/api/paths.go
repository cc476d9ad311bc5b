package api

import (
	"net/url"
	"strconv"
)

// The paths of the API. A name in braces is a parameter.
const (
	PathHealth      = "/health"
	PathReady       = "/health/ready"
	PathMetrics     = "/metrics"
	PathDocs        = "/docs"
	PathOpenAPI     = "/openapi.json"
	PathLogin       = "/auth/login"
	PathLogout      = "/auth/logout"
	PathPassword    = "/auth/password"
	PathMe          = "/auth/me"
	PathUsers       = "/auth/users"
	PathRegister    = "/auth/register"
	PathPredict     = "/predict"
	PathBatch       = "/predict/batch"
	PathGenerate    = "/generate"
	PathRetrain     = "/retrain"
	PathConditional = "/retrain/conditional"
	PathJob         = "/jobs/{id}"
	PathModelInfo   = "/model/info"
	PathModels      = "/models"
	PathActivate    = "/models/{version}/activate"
	PathRollback    = "/models/rollback"
	PathDatasets    = "/datasets"
	PathDatasetList = "/datasets/list"
	PathPreview     = "/datasets/preview"
	PathDataset     = "/datasets/{id}"
	PathHistory     = "/predictions/history"
	PathHistoryAll  = "/predictions/history/all"
	PathStats       = "/predictions/stats"
	PathTrainings   = "/training/history"
	PathDrift       = "/drift/history"
	PathSystemLogs  = "/logs/system"
	PathEvents      = "/events"
	PathOverview    = "/overview"
	PathUser        = "/auth/users/{username}"
	PathSettings    = "/settings"
	PathBackups     = "/backups"

	PathTestNotification = "/notifications/test"

	PathServices = "/services"
	PathKPIs     = "/kpis"

	PathDriftScores        = "/drift/scores"
	PathDriftDistributions = "/drift/distributions"
	PathModel              = "/models/{version}"
)

// JobPath is where the job with this id is looked up.
func JobPath(id int64) string { return "/jobs/" + strconv.FormatInt(id, 10) }

// DatasetPath is where the dataset with this id is described and deleted.
func DatasetPath(id int64) string { return "/datasets/" + strconv.FormatInt(id, 10) }

// ActivatePath is where the named version is activated.
func ActivatePath(version string) string { return "/models/" + url.PathEscape(version) + "/activate" }

// ModelPath is where the named version is described.
func ModelPath(version string) string { return "/models/" + url.PathEscape(version) }
