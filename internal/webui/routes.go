package webui

import "net/http"

const pathHealthz = "/healthz"

// routes is every page and form there is. All forms change something and come from these pages alone:
// CrossOriginProtection refuses what another site sends.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /static/", http.HandlerFunc(s.static))
	mux.HandleFunc("GET "+pathHealthz, s.healthz)
	mux.HandleFunc("GET /login", s.loginPage)
	mux.HandleFunc("POST /login", s.login)
	mux.HandleFunc("POST /logout", s.logout)
	mux.HandleFunc("POST /preferences", s.preferences)

	for _, p := range pages {
		mux.HandleFunc("GET "+p.pattern(), s.show(p))
		mux.HandleFunc("GET /live/"+p.name, s.live(p))
	}
	mux.HandleFunc("POST /predict", s.signedIn(s.predict))
	mux.HandleFunc("POST /predict/batch", s.signedIn(s.predictBatch))
	mux.HandleFunc("POST /data/generate", s.signedIn(s.generate))
	mux.HandleFunc("POST /data/preview", s.signedIn(s.preview))
	mux.HandleFunc("POST /data/import", s.signedIn(s.importFile))
	mux.HandleFunc("POST /data/delete", s.signedIn(s.deleteDataset))
	mux.HandleFunc("POST /models/retrain", s.signedIn(s.retrain))
	mux.HandleFunc("POST /models/conditional", s.signedIn(s.retrainConditional))
	mux.HandleFunc("POST /models/activate", s.signedIn(s.activate))
	mux.HandleFunc("POST /models/rollback", s.signedIn(s.rollback))
	mux.HandleFunc("POST /admin/users", s.signedIn(s.register))
	mux.HandleFunc("POST /admin/access", s.signedIn(s.access))
	mux.HandleFunc("POST /admin/test", s.signedIn(s.testMessage))
	mux.HandleFunc("POST /admin/backup", s.signedIn(s.backUp))
	mux.HandleFunc("/", s.signedIn(s.notFound))
	return http.NewCrossOriginProtection().Handler(mux)
}

// pages are those that the navigation lists, in its order. Each is a template of its name, which shows what
// load gives, and the templates of its parts are kept current.
var pages = []page{
	{name: "overview", path: "/", parts: []string{"overview-now", "overview-checks", "overview-history"}, load: loadOverview},
	{name: "predict", path: "/predict", parts: []string{"predict-boundary", "predict-recent"}, load: loadPredict},
	{name: "data", path: "/data", parts: []string{"data-list"}, load: loadData},
	{name: "drift", path: "/drift", parts: []string{"drift-now", "drift-scores", "drift-compared", "drift-checks"}, load: loadDrift},
	{name: "models", path: "/models", parts: []string{"models-job", "models-compare", "models-list"}, load: loadModels},
	{name: "monitoring", path: "/monitoring", parts: []string{"monitoring-services", "monitoring-figures"}, load: loadMonitoring},
	{name: "admin", path: "/admin", parts: []string{"admin-test", "admin-logs"}, load: loadAdmin, admin: true},
}
