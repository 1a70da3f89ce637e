package main

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	// How requests of jobs ended: `passed`, or why not.
	requests *prometheus.CounterVec
	// Those passed on, by the status of the job's answer: its class, `5xx`.
	answers   *prometheus.CounterVec
	questions *prometheus.CounterVec
	underWay  prometheus.Gauge
	told      prometheus.Gauge
}

func newMetrics(registry *prometheus.Registry) *metrics {
	seen := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "delos_job_router_requests_total",
			Help: "Requests to jobs, by how they ended: passed on, or why not",
		}, []string{"end"}),
		answers: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "delos_job_router_answers_total",
			Help: "Answers to requests to jobs, by status, whoever gave them",
		}, []string{"code"}),
		questions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "delos_job_router_questions_total",
			Help: "Questions to the control API and the identity service, by what was asked and whether it was answered",
		}, []string{"of", "outcome"}),
		underWay: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "delos_job_router_under_way",
			Help: "Requests and streams to jobs that are under way",
		}),
		told: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "delos_job_router_told",
			Help: "1 while the control API tells of changes of jobs",
		}),
	}
	registry.MustRegister(seen.requests, seen.answers, seen.questions, seen.underWay, seen.told)
	return seen
}
