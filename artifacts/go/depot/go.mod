module delos.dev/depot

go 1.26.0

require (
	github.com/Masterminds/semver/v3 v3.4.0
	go.yaml.in/yaml/v3 v3.0.4
)
