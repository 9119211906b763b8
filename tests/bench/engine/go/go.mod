module sluice/bench/engine

go 1.19
