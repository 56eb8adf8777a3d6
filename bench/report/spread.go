package report

import (
	"fmt"
	"slices"
)

// Spread is the least, the median and the greatest of a figure over the rounds.
type Spread struct{ Min, Median, Max float64 }

// Median returns the middle of xs, or the mean of the two in the middle; 0 of none.
func Median(xs []float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	xs = slices.Sorted(slices.Values(xs))
	n := len(xs)
	return (xs[(n-1)/2] + xs[n/2]) / 2
}

func spread(xs []float64) (Spread, bool) {
	if len(xs) == 0 {
		return Spread{}, false
	}
	return Spread{slices.Min(xs), Median(xs), slices.Max(xs)}, true
}

// number prints a figure with as many digits as mean something.
func number(x float64) string {
	switch {
	case x == 0:
		return "0"
	case x < 10:
		return fmt.Sprintf("%.2f", x)
	case x < 100:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.0f", x)
}

// String prints the three figures, or one if they are the same.
func (s Spread) String() string {
	if s.Min == s.Max {
		return number(s.Median)
	}
	return number(s.Min) + " / " + number(s.Median) + " / " + number(s.Max)
}

// Ratio is a figure of one system as a multiple of another's: of the medians, and of the rounds' figures at the least and the greatest.
type Ratio struct {
	Spread
	Of string // the other system
}

// String prints it with its spread.
func (q Ratio) String() string {
	text := fmt.Sprintf("%.2f", q.Median)
	if q.Min != q.Max {
		text += fmt.Sprintf(" (%.2f-%.2f)", q.Min, q.Max)
	}
	return text + " x " + q.Of
}

// ratio compares a system with one other in one figure.
func (r *Run) ratio(system, other, workload string, of Of) (Ratio, bool) {
	return quotient(r.rounds(system, workload, of), r.rounds(other, workload, of), other)
}

func quotient(own, others map[int]float64, name string) (Ratio, bool) {
	var mine, his, each []float64
	for round, v := range own {
		mine = append(mine, v)
		if o := others[round]; o > 0 {
			each = append(each, v/o)
		}
	}
	for _, o := range others {
		his = append(his, o)
	}
	below := Median(his)
	if len(mine) == 0 || below == 0 {
		return Ratio{}, false
	}
	q := Ratio{Of: name, Spread: Spread{Median: Median(mine) / below}}
	if s, ok := spread(each); ok {
		q.Min, q.Max = min(s.Min, q.Median), max(s.Max, q.Median)
	} else {
		q.Min, q.Max = q.Median, q.Median
	}
	return q, true
}

// best compares paxosd with the best of some peers in one figure, of which less, or more, is better.
func (r *Run) best(workload string, of Of, peers []string, less bool) (Ratio, bool) {
	name, most := "", 0.0
	for _, s := range peers {
		if x, ok := r.Figure(s, workload, of); ok && (name == "" || less == (x.Median < most)) {
			name, most = s, x.Median
		}
	}
	if name == "" {
		return Ratio{}, false
	}
	return r.ratio(ours, name, workload, of)
}
