//go:build linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// drawFull fills a role's disk under it. The role ends and says why; with room again it starts on the same store.
func drawFull(kind string) func(*round, *rand.Rand) fault {
	return func(r *round, rng *rand.Rand) fault {
		name := one(kind)(r, rng)[0]
		p, d := r.c.procs[name], r.c.disks[name]
		return fault{
			what: name + "'s disk full", touches: []string{"all"},
			begin: func() error {
				p.expect()
				from := p.length()
				if err := d.fill(); err != nil {
					return err
				}
				r.l.bulk.Store(true)
				code, ok := p.ended(30 * time.Second)
				r.l.bulk.Store(false)
				if said := p.said(from); !ok || code != 1 || !strings.Contains(said, "no space left on device") {
					r.rep.violate(r.num, fmt.Sprintf("%s on a full disk: ended %t with code %d: %s", name, ok, code, p.lastLine()))
				}
				return nil
			},
			heal: func() error { return errors.Join(p.stop(syscall.SIGKILL), d.empty(), p.start()) },
		}
	}
}

// drawPower cuts the power of processes and of the disks of those that have one: what was not synced is gone.
func drawPower(who victims) func(*round, *rand.Rand) fault {
	return func(r *round, rng *rand.Rand) fault {
		names := who(r, rng)
		each := func(f func(p *process, d *disk) error) error {
			var errs []error
			for _, n := range names {
				errs = append(errs, f(r.c.procs[n], r.c.disks[n]))
			}
			return errors.Join(errs...)
		}
		return fault{
			what: "power off for " + called(names, len(r.c.order)), touches: touch(r, names),
			begin: func() error {
				// Nothing may be sent after the moment in which the disk stops, so the processes stop before it.
				_ = each(func(p *process, _ *disk) error { p.signal(syscall.SIGSTOP); return nil })
				err := each(func(_ *process, d *disk) error {
					if d == nil {
						return nil
					}
					return d.cutPower()
				})
				return errors.Join(err, each(func(p *process, _ *disk) error { return p.stop(syscall.SIGKILL) }))
			},
			heal: func() error {
				return each(func(p *process, d *disk) error {
					if d != nil {
						if err := d.powerUp(); err != nil {
							return err
						}
					}
					return p.start()
				})
			},
		}
	}
}

// drawDamagedLearner damages a learner's store, always the same one's in a round. It comes back with an empty folder.
func drawDamagedLearner(r *round, rng *rand.Rand) fault {
	name := "l1"
	if r.num%2 == 0 {
		name = "l2"
	}
	f := damage(r, rng, name)
	f.heal = func() error { return errors.Join(os.RemoveAll(r.c.disks[name].store()), r.c.procs[name].start()) }
	return f
}

// drawDamagedAcceptor damages an acceptor's store. It stays out: what would take its place is a change of membership.
func drawDamagedAcceptor(r *round, rng *rand.Rand) fault {
	name := one("acceptor")(r, rng)[0]
	f := damage(r, rng, name)
	f.heal = func() error { r.c.procs[name].retire(); return nil }
	return f
}

// damage flips a bit in a store's newest log file, or cuts the file short, while its process is down. Started again, the process must
// find it, say so and never answer; so must the next start, which finds the mark that the first one left.
func damage(r *round, rng *rand.Rand, name string) fault {
	p, d := r.c.procs[name], r.c.disks[name]
	cut, part, bit := rng.IntN(2) == 0, 0.1+0.5*rng.Float64(), rng.IntN(8)
	how := fmt.Sprintf("a bit of %s's newest log file flipped", name)
	if cut {
		how = fmt.Sprintf("%s's newest log file cut short", name)
	}
	return fault{
		what: how, touches: []string{"all"},
		begin: func() error {
			// The last writes before a kill may be missed unnoticed only if the disk lost them, so let there be more after them.
			r.l.bulk.Store(true)
			time.Sleep(time.Second)
			r.l.bulk.Store(false)
			time.Sleep(1500 * time.Millisecond)
			if err := p.stop(syscall.SIGKILL); err != nil {
				return err
			}
			where, err := breakFile(d.store(), cut, part, bit)
			if err != nil {
				return err
			}
			for try := range 2 {
				from := p.length()
				if err := p.startDoomed(); err != nil {
					return err
				}
				code, ok := p.ended(30 * time.Second)
				if said := p.said(from); !ok || code != 3 || !strings.Contains(said, "corrupt") {
					r.rep.violate(r.num, fmt.Sprintf("%s, %s, start %d: ended %t with code %d: %s", how, where, try+1, ok, code, p.lastLine()))
					return p.stop(syscall.SIGKILL)
				}
				if try == 0 {
					r.rep.say("%s said: %s", name, firstCorrupt(p.said(from)))
				}
			}
			if _, err := os.Stat(filepath.Join(d.store(), "CORRUPT")); err != nil {
				r.rep.violate(r.num, fmt.Sprintf("%s, %s: no mark was left: %v", how, where, err))
			}
			return nil
		},
	}
}

// firstCorrupt returns the line that says what is damaged.
func firstCorrupt(said string) string {
	for line := range strings.Lines(said) {
		if strings.Contains(line, "corrupt") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

// breakFile damages the newest log file of a store, at a part of what is written in it.
func breakFile(store string, cut bool, part float64, bit int) (where string, err error) {
	files, err := filepath.Glob(filepath.Join(store, "pebble", "*.log"))
	if err != nil || len(files) == 0 {
		return "", fmt.Errorf("%s has no log file: %w", store, err)
	}
	slices.Sort(files)
	file := files[len(files)-1]
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	at := int(float64(end) * part)
	where = fmt.Sprintf("byte %d of %d of %s", at, end, filepath.Base(file))
	if cut {
		return where, os.Truncate(file, int64(at))
	}
	if at < end {
		b[at] ^= 1 << bit
	}
	return where, os.WriteFile(file, b, 0o600)
}
