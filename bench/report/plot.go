package report

import (
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// shades are told apart by people who do not see all colours (the palette of Okabe and Ito), one for each system in order.
var shades = []color.Color{
	color.RGBA{0x00, 0x72, 0xb2, 0xff},
	color.RGBA{0xe6, 0x9f, 0x00, 0xff},
	color.RGBA{0x99, 0x99, 0x99, 0xff},
	color.RGBA{0x00, 0x9e, 0x73, 0xff},
	color.RGBA{0xcc, 0x79, 0xa7, 0xff},
	color.RGBA{0xd5, 0x5e, 0x00, 0xff},
}

// powers marks an axis of decimal logarithms with the numbers that they are of.
type powers struct{}

// Ticks returns one for each power of ten, and unnamed ones between.
func (powers) Ticks(low, high float64) (ticks []plot.Tick) {
	for e := math.Floor(low); e <= high; e++ {
		for k := 1.0; k < 10; k++ {
			v := e + math.Log10(k)
			if v < low || v > high {
				continue
			}
			label := ""
			if k == 1 {
				label = strconv.FormatFloat(math.Pow(10, e), 'f', -1, 64)
			}
			ticks = append(ticks, plot.Tick{Value: v, Label: label})
		}
	}
	return ticks
}

// Plot draws one figure of some workloads, a bar for each system, on a logarithmic axis, into an SVG file.
func (r *Run) Plot(path, title, axis string, workloads []string, of Of) error {
	p := plot.New()
	p.Title.Text = title
	p.Y.Label.Text = axis
	p.Y.Tick.Marker = powers{}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.XOffs = vg.Points(10)
	p.Add(plotter.NewGrid())
	width := vg.Points(60 / float64(max(len(r.Order), 1)))
	drawn := 0
	least, most := math.Inf(1), 0.0
	for i, s := range r.Order {
		values := make(plotter.Values, len(workloads))
		some := false
		for j, l := range workloads {
			if x, ok := r.Figure(s, l, of); ok && x.Median > 1 {
				values[j], some = math.Log10(x.Median), true
				least, most = min(least, values[j]), max(most, values[j])
			}
		}
		if !some {
			continue
		}
		bars, err := plotter.NewBarChart(values, width)
		if err != nil {
			return fmt.Errorf("plot %s: %w", title, err)
		}
		bars.Color = shades[i%len(shades)]
		bars.LineStyle.Width = 0
		bars.Offset = width * vg.Length(float64(i)-float64(len(r.Order)-1)/2)
		p.Add(bars)
		p.Legend.Add(s+r.mark(s), bars)
		drawn++
	}
	if drawn == 0 {
		return nil
	}
	p.Y.Min, p.Y.Max = math.Floor(least), most+1.2 // room for the legend
	p.NominalX(workloads...)
	p.X.Min, p.X.Max = -0.6, float64(len(workloads))-0.4
	return p.Save(vg.Points(float64(140*len(workloads)+120)), vg.Points(320), path)
}
