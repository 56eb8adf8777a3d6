package wal

const (
	// logBlock is what the engine's log is divided into. Each block of it begins with a chunk's header, or with zeros.
	logBlock = 32 << 10
	// logEnd is how many zeros follow the last chunk that was written: more than any chunk's header, so that they reach past one also where
	// it would be in the next block.
	logEnd = 32
)

// logFile is one of the engine's log files. They are used again (spares.go, and the engine's own recycling), so what follows the last
// chunk is the middle of something older: bytes that a client chose. The engine looks for its next chunk just there, and it takes chunks of
// its oldest format, which have no file's number in them, and any that has the right one. Payloads that hold such chunks, by
// malice or because somebody appends files of that format, would be replayed after a loss of power, over what is durable. So
// zeros follow each write, which the next one covers; they end the log. Where a write ends a block nothing need follow: the next
// one begins with zeros or with the header of an older file's chunk, and the number in that one was never given again.
//
// They are of no help where a write is torn just between two of its chunks. What is found there the audit refuses, unless
// it is a group with the very number that is next.
type logFile struct {
	guardedFile
	at  int64  // where the next write goes
	buf []byte // of the newest write, with zeros
}

// Write writes at the end.
func (f *logFile) Write(p []byte) (int, error) {
	n := len(p)
	if (f.at+int64(n))%logBlock != 0 {
		f.buf = append(append(f.buf[:0], p...), make([]byte, logEnd)...)
		p = f.buf
	}
	// Files that were not opened for it take this as well, in spite of what the interface says: they are the system's, or those in memory.
	written, err := f.WriteAt(p, f.at)
	n = min(n, written)
	f.at += int64(n)
	return n, err
}
