package api

import (
	"context"
	"time"
)

// ServiceList is how each service is that belongs to the platform.
type ServiceList struct {
	Services []Service `json:"services"`
}

// Service is a process or a server that belongs to the platform.
type Service struct {
	Name      string     `json:"name" enum:"api,worker,flow,database,mlflow,prefect,prometheus,grafana,alertmanager,uptime-kuma"`
	Status    string     `json:"status" enum:"ok,warning,down,off"`
	Detail    string     `json:"detail,omitempty"`
	Remarks   []Remark   `json:"remarks,omitempty" doc:"What the detail says"`
	LatencyMS *float64   `json:"latency_ms" doc:"Of the question; null if it was not asked over the network"`
	At        *time.Time `json:"at" doc:"When it was asked"`
	Link      string     `json:"link,omitempty" doc:"Where people look at it"`
}

// Services asks how each service is.
func (c *Client) Services(ctx context.Context) (ServiceList, error) {
	return get[ServiceList](ctx, c, PathServices, nil)
}

// KPIs are the figures of the specification.
type KPIs struct {
	Timestamp     time.Time `json:"timestamp"`
	WindowSeconds float64   `json:"window_seconds" doc:"The time that the figures of requests are of: the last five minutes, less after a start"`
	KPIs          []KPI     `json:"kpis"`
}

// KPI is a figure with its target.
type KPI struct {
	ID     string   `json:"id" enum:"latency,throughput,availability,errors,accuracy,training,confidence,cpu,memory"`
	Value  *float64 `json:"value" doc:"null if there was nothing to measure"`
	Target float64  `json:"target"`
	Unit   string   `json:"unit" enum:"ms,requests/min,%,s"`
	Most   bool     `json:"most" doc:"The target is the most that the value should be, else the least"`
	Met    *bool    `json:"met" doc:"null if it can't be told: nothing was measured, or (throughput) nobody asked for as much"`
}

// KPIs asks for the figures of the specification.
func (c *Client) KPIs(ctx context.Context) (KPIs, error) { return get[KPIs](ctx, c, PathKPIs, nil) }
