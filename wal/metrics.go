package wal

// Metrics are counts since the store was opened, and sizes now.
type Metrics struct {
	LogBytes      uint64 // written to the engine's log
	FlushBytes    uint64 // written to tables from memory
	CompactBytes  uint64 // written to tables again
	Flushes       int64
	Compactions   int64
	MemTableBytes uint64
	DiskBytes     uint64
	TableFiles    int64
	CacheHits     int64
	CacheMisses   int64
}

// Metrics asks the engine.
func (s *store) Metrics() Metrics {
	m := s.db.Metrics()
	out := Metrics{
		LogBytes:      m.WAL.BytesWritten,
		Flushes:       m.Flush.Count,
		Compactions:   m.Compact.Count,
		MemTableBytes: m.MemTable.Size,
		DiskBytes:     m.DiskSpaceUsage(),
		CacheHits:     m.BlockCache.Hits,
		CacheMisses:   m.BlockCache.Misses,
	}
	for i := range m.Levels {
		l := &m.Levels[i]
		out.FlushBytes += l.TableBytesFlushed + l.BlobBytesFlushed
		out.CompactBytes += l.TableBytesCompacted + l.BlobBytesCompacted
		out.TableFiles += l.TablesCount
	}
	return out
}
