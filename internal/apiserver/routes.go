package apiserver

import (
	"net/http"

	"iacontinu/internal/api"
)

const (
	get   = http.MethodGet
	head  = http.MethodHead
	post  = http.MethodPost
	del   = http.MethodDelete
	patch = http.MethodPatch
)

// routes is every route there is, with who may use it. What is added is validated and described by
// its types; what is handled is plain, and described in plain.go.
func (s *Server) routes() {
	s.router.NotFound(s.notFound)
	s.router.MethodNotAllowed(s.wrongMethod)

	// The platform
	add(s, s.op(get, api.PathHealth, open, "platform", "health", "Is the API up, and how are its parts?", 503), s.health)
	add(s, s.op(head, api.PathHealth, open, "platform", "health-head", "Is the API up?", 503), s.health)
	add(s, s.op(get, api.PathReady, open, "platform", "ready", "Does a model serve?", 503), s.ready)
	add(s, s.op(head, api.PathReady, open, "platform", "ready-head", "Does a model serve?", 503), s.ready)
	add(s, s.op(get, api.PathSystemLogs, adminOnly, "platform", "system-logs", "Who did what"), s.systemLogs)
	add(s, s.op(get, api.PathOverview, signedIn, "platform", "overview", "How the platform is, on one page"), s.overview)
	add(s, s.op(get, api.PathServices, signedIn, "platform", "services", "How each service is, asked at most every five seconds"), s.services)
	add(s, s.op(get, api.PathKPIs, signedIn, "platform", "kpis", "The figures of the specification against their targets"), s.kpis)
	add(s, s.op(get, api.PathEvents, signedIn, "platform", "events", "What happened in a span of time"), s.events)
	add(s, s.op(get, api.PathSettings, adminOnly, "platform", "settings", "The settings of this process, secrets masked"), s.settings)
	add(s, s.op(get, api.PathBackups, adminOnly, "platform", "backups", "The backups that were made here, newest first"), s.backups)
	add(s, s.op(post, api.PathBackups, adminOnly, "platform", "back-up", "Copy the database, the model versions and the datasets; keys are left out", 409, 507), s.backUp)
	add(s, s.testNotificationOp(), s.testNotification)
	s.handle(get, api.PathMetrics, open, s.opt.Metrics.ServeHTTP)
	s.handle(get, api.PathOpenAPI, open, s.serveDocument)
	s.handle(get, api.PathDocs, open, s.docsPage)
	s.handle(get, api.PathDocs+"/*", open, s.docsFile)
	s.handle(get, "/", open, toDocs)

	// People
	add(s, s.op(post, api.PathLogin, open, "people", "login", "Get a token", 401, 429, 503), s.login)
	add(s, s.op(post, api.PathLogout, signedIn, "people", "logout", "Make the token invalid"), s.logout)
	add(s, s.op(post, api.PathPassword, signedIn, "people", "password", "Change the password; older tokens become invalid", 403, 429, 503), s.password)
	add(s, s.op(get, api.PathMe, signedIn, "people", "me", "Who am I?"), s.me)
	add(s, s.op(get, api.PathUsers, adminOnly, "people", "users", "All accounts"), s.users)
	add(s, s.op(post, api.PathRegister, adminOnly, "people", "register", "Make an account", 409), s.register)
	add(s, s.op(patch, api.PathUser, adminOnly, "people", "change-user", "Change what an account may do; its tokens become invalid", 404, 409), s.changeUser)

	// Predictions
	s.handle(post, api.PathPredict, signedIn, s.handlePredict)
	s.handle(post, api.PathBatch, signedIn, s.handlePredictBatch)
	add(s, s.op(get, api.PathHistory, signedIn, "predictions", "history", "One's own newest predictions", 403), s.history)
	add(s, s.op(get, api.PathHistoryAll, adminOnly, "predictions", "history-all", "Everybody's newest predictions"), s.historyAll)
	add(s, s.op(get, api.PathStats, signedIn, "predictions", "stats", "One's own predictions summed up; everybody's for administrators and services"), s.stats)

	// Data
	add(s, s.generateOp(), s.generate)
	s.handle(post, api.PathDatasets, signedIn, s.upload)
	add(s, s.op(get, api.PathDatasetList, open, "data", "datasets", "The newest datasets; fewer than asked for if the names of their features take over 2 MiB together"), s.datasetList)
	add(s, s.op(get, api.PathDataset, signedIn, "data", "dataset", "A dataset with all that is known of it", 404), s.dataset)
	s.handle(post, api.PathPreview, signedIn, s.handlePreview)
	add(s, s.op(del, api.PathDataset, adminOnly, "data", "delete-dataset", "Remove a dataset", 404, 409), s.deleteDataset)

	// Models
	add(s, s.retrainOp(), s.retrain)
	add(s, s.conditionalOp(), s.retrainConditional)
	add(s, s.op(get, api.PathJob, signedIn, "models", "job", "Where a job stands; for its asker and administrators", 404), s.job)
	add(s, s.op(get, api.PathModelInfo, open, "models", "model-info", "The model that serves"), s.modelInfo)
	add(s, s.op(get, api.PathModels, signedIn, "models", "models", "The newest versions"), s.models)
	add(s, s.op(get, api.PathModel, signedIn, "models", "model", "A version with all that is known of it", 404), s.model)
	add(s, s.op(post, api.PathActivate, adminOnly, "models", "activate", "Serve a version", 404, 409, 422), s.activate)
	add(s, s.op(post, api.PathRollback, adminOnly, "models", "rollback", "Serve the version before the active one", 409, 422), s.rollback)
	add(s, s.op(get, api.PathTrainings, signedIn, "models", "trainings", "The newest retrainings"), s.trainings)
	add(s, s.op(get, api.PathDrift, signedIn, "models", "drift", "The newest periodic checks"), s.drift)
	add(s, s.op(get, api.PathDriftScores, signedIn, "models", "drift-scores", "The scores of the periodic checks over a span of time"), s.driftScores)
	add(s, s.op(get, api.PathDriftDistributions, signedIn, "models", "drift-distributions", "What a check compared, by feature", 404), s.driftDistributions)

	s.describePlain()
}
