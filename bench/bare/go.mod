module delos.dev/bench/bare

go 1.26.0
