module delos.dev/node

go 1.26.0
