// Go's channels as a peer: a goroutine for each stage, a buffered channel for each edge.
//
//	go_bench case=chain|diamond|latency_hot|latency_cold|efficiency|sync_pool [stages=4] ...
//
// The cases, their arguments and the line that is printed are those of ../workload.h; sync_pool is a
// peer of the buffer pool, with size= and threads=.
package main

import (
	"fmt"
	"os"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

type arguments map[string]string

func (a arguments) text(name, otherwise string) string {
	if value, ok := a[name]; ok {
		return value
	}
	return otherwise
}

func (a arguments) number(name string, otherwise float64) float64 {
	value, err := strconv.ParseFloat(a.text(name, ""), 64)
	if err != nil {
		return otherwise
	}
	return value
}

var kept uint64 // what burn comes to, so that it is not optimised away

//go:noinline
func burn(steps, seed uint64) uint64 {
	for i := uint64(0); i < steps; i++ {
		seed = seed*6364136223846793005 + 1442695040888963407
	}
	return seed
}

func median(values []float64) float64 { return percentile(values, 0.5) }

func percentile(values []float64, rank float64) float64 {
	sort.Float64s(values)
	place := int(rank * float64(len(values)))
	if place >= len(values) {
		place = len(values) - 1
	}
	return values[place]
}

// What one step of burn takes while `threads` goroutines burn at once.
func nsPerStep(threads int) float64 {
	const rounds, steps = 25, 400_000
	times := make([][]float64, threads)
	var all sync.WaitGroup
	for t := range times {
		all.Add(1)
		go func(t int) {
			defer all.Done()
			for round := 0; round < rounds; round++ {
				started := time.Now()
				if burn(steps, uint64(round)) == 42 {
					kept++
				}
				times[t] = append(times[t], float64(time.Since(started).Nanoseconds())/steps)
			}
		}(t)
	}
	all.Wait()
	var together []float64
	for _, part := range times {
		together = append(together, part...)
	}
	return median(together)
}

type usage struct {
	at     time.Time
	cpu    int64
	sleeps int64
}

func usageNow() usage {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return usage{time.Now(), used.Utime.Nano() + used.Stime.Nano(), used.Nvcsw}
}

type meter struct {
	latency, cold                        bool
	items, warmUp                        uint64
	issued, received, expected, disorder uint64
	issuedAt, firstIssuedAt              time.Time
	latencies                            []float64
	begin, end                           usage
	done                                 chan struct{}
}

func newMeter(name string, items uint64) *meter {
	return &meter{latency: strings.HasPrefix(name, "latency"), cold: name == "latency_cold", items: items,
		warmUp: items / 20, done: make(chan struct{}, 1)}
}

func (m *meter) next() (uint64, bool) {
	if m.issued == m.items {
		return 0, false
	}
	if m.issued == 0 {
		m.firstIssuedAt = time.Now()
	}
	if m.latency {
		if m.issued > 0 {
			<-m.done
		}
		if m.cold {
			time.Sleep(time.Millisecond)
		}
		m.issuedAt = time.Now()
	}
	m.issued++
	return m.issued - 1, true
}

func (m *meter) arrived(number uint64) {
	if number < m.expected {
		m.disorder++
	}
	m.expected = number + 1
	m.received++
	if m.received == m.warmUp+1 {
		m.begin = usageNow()
	}
	if m.received == m.items {
		m.end = usageNow()
	}
	if m.latency {
		if m.received > m.warmUp+1 {
			m.latencies = append(m.latencies, float64(time.Since(m.issuedAt).Nanoseconds()))
		}
		m.done <- struct{}{}
	}
}

func (m *meter) perItem(total int64) float64 { return float64(total) / float64(m.items-m.warmUp-1) }
func (m *meter) nsPerItem() float64          { return m.perItem(m.end.at.Sub(m.begin.at).Nanoseconds()) }

type shape struct {
	stages, capacity int
	steps            uint64
}

func (s shape) stage(in <-chan uint64) <-chan uint64 {
	out := make(chan uint64, s.capacity)
	go func() {
		for number := range in {
			if s.steps > 0 && burn(s.steps, number) == 42 {
				kept++
			}
			out <- number
		}
		close(out)
	}()
	return out
}

// Hands every item of the meter to all of `firsts` while the calling goroutine takes from `sink`.
func (m *meter) drive(firsts []chan uint64, sink func() bool) {
	go func() {
		for number, ok := m.next(); ok; number, ok = m.next() {
			for _, first := range firsts {
				first <- number
			}
		}
		for _, first := range firsts {
			close(first)
		}
	}()
	for sink() {
	}
}

func (s shape) chain(m *meter) {
	first := make(chan uint64, s.capacity)
	var last <-chan uint64 = first
	for i := 0; i < s.stages; i++ {
		last = s.stage(last)
	}
	m.drive([]chan uint64{first}, func() bool {
		number, ok := <-last
		if ok {
			m.arrived(number)
		}
		return ok
	})
}

func (s shape) diamond(m *meter) {
	firsts := make([]chan uint64, 4)
	lasts := make([]<-chan uint64, 4)
	for i := range firsts {
		firsts[i] = make(chan uint64, s.capacity)
		lasts[i] = s.stage(firsts[i])
	}
	joined := make(chan uint64, s.capacity)
	go func() {
		for number := range lasts[0] {
			for _, last := range lasts[1:] {
				if <-last != number {
					panic("the branches do not keep step")
				}
			}
			joined <- number
		}
		close(joined)
	}()
	m.drive(firsts, func() bool {
		number, ok := <-joined
		if ok {
			m.arrived(number)
		}
		return ok
	})
}

func efficiency(args arguments, s shape) {
	stageUs := args.number("stage_us", 20)
	cores := int(args.number("cores", 2))
	s.steps = uint64(stageUs * 1000 / nsPerStep(1))
	items := args.number("seconds", 0.5) * 1e6 * float64(cores) / (stageUs * float64(s.stages))
	m := newMeter("efficiency", uint64(items)+100)
	before := nsPerStep(cores)
	s.chain(m)
	after := nsPerStep(cores)
	ideal := (before + after) / 2 * float64(s.steps) * float64(s.stages) / float64(cores)
	whole := float64(m.end.at.Sub(m.firstIssuedAt).Nanoseconds()) / float64(m.items)
	fmt.Printf("efficiency=%.6g ns_per_item=%.6g ideal_ns=%.6g disorder=%d\n", ideal/whole, whole, ideal, m.disorder)
}

func syncPool(args arguments) {
	size, threads := int(args.number("size", 4096)), int(args.number("threads", 1))
	pairs := int(args.number("pairs", 200_000))
	pool := sync.Pool{New: func() any { block := make([]byte, size); return &block }}
	var rounds []float64
	for round := 0; round < 11; round++ {
		var all sync.WaitGroup
		started := time.Now()
		for t := 0; t < threads; t++ {
			all.Add(1)
			go func() {
				defer all.Done()
				for i := 0; i < pairs; i++ {
					block := pool.Get().(*[]byte)
					(*block)[0] = 1
					pool.Put(block)
				}
			}()
		}
		all.Wait()
		rounds = append(rounds, float64(time.Since(started).Nanoseconds())/float64(pairs))
	}
	fmt.Printf("pair_ns=%.6g\n", median(rounds))
}

func main() {
	args := arguments{}
	for _, argument := range os.Args[1:] {
		name, value, found := strings.Cut(argument, "=")
		if !found {
			fmt.Fprintf(os.Stderr, "`%s` is not of the form name=value\n", argument)
			os.Exit(2)
		}
		args[name] = value
	}
	name := args.text("case", "chain")
	s := shape{stages: int(args.number("stages", 4)), capacity: int(args.number("capacity", 64))}
	items := map[string]float64{"chain": 300_000, "diamond": 300_000, "latency_hot": 20_000, "latency_cold": 400}[name]
	m := newMeter(name, uint64(args.number("items", items)))
	switch name {
	case "efficiency":
		efficiency(args, s)
		return
	case "sync_pool":
		syncPool(args)
		return
	case "diamond":
		s.diamond(m)
	case "chain", "latency_hot", "latency_cold":
		s.chain(m)
	default:
		fmt.Fprintf(os.Stderr, "unknown case `%s`\n", name)
		os.Exit(2)
	}
	if m.latency {
		fmt.Printf("p50_ns=%.6g p99_ns=%.6g disorder=%d\n", percentile(m.latencies, 0.5), percentile(m.latencies, 0.99), m.disorder)
	} else {
		fmt.Printf("ns_per_item=%.6g cpu_ns_per_item=%.6g sleeps_per_item=%.6g disorder=%d\n", m.nsPerItem(),
			m.perItem(m.end.cpu-m.begin.cpu), m.perItem(m.end.sleeps-m.begin.sleeps), m.disorder)
	}
	runtime.KeepAlive(kept)
}
