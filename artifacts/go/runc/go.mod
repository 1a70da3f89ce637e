module delos.dev/runc

go 1.26.0
