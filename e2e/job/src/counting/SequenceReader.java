package counting;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.core.io.InputStatus;

/** Emits the next number of each of its splits in turn, at a steady rate. */
final class SequenceReader implements SourceReader<Numbered, SequenceSplit> {
    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private final double ratePerSplit;
    private final ArrayDeque<SequenceSplit> splits = new ArrayDeque<>();
    private CompletableFuture<Void> splitsArrive = new CompletableFuture<>();
    private boolean noMoreSplits;
    /** When the next element is due, on the clock of {@link System#nanoTime}. */
    private long due = System.nanoTime();

    /** @param ratePerSplit elements per second and split, 0 for as fast as possible */
    SequenceReader(double ratePerSplit) {
        this.ratePerSplit = ratePerSplit;
    }

    @Override
    public InputStatus pollNext(ReaderOutput<Numbered> output) {
        if (splits.isEmpty()) {
            return noMoreSplits ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
        }
        if (untilDue() > 0) {
            return InputStatus.NOTHING_AVAILABLE;
        }
        SequenceSplit split = splits.remove();
        scheduleNext(splits.size() + 1);
        output.collect(new Numbered(split.index, split.next));
        split.next++;
        if (!split.isExhausted()) {
            splits.add(split);
        }
        return untilDue() > 0 ? InputStatus.NOTHING_AVAILABLE : InputStatus.MORE_AVAILABLE;
    }

    @Override
    public CompletableFuture<Void> isAvailable() {
        if (splits.isEmpty()) {
            return noMoreSplits ? CompletableFuture.completedFuture(null) : splitsArrive;
        }
        long wait = untilDue();
        if (wait <= 0) {
            return CompletableFuture.completedFuture(null);
        }
        Executor later = CompletableFuture.delayedExecutor(wait, TimeUnit.NANOSECONDS);
        return CompletableFuture.runAsync(() -> {}, later);
    }

    @Override
    public void addSplits(List<SequenceSplit> arrived) {
        for (SequenceSplit split : arrived) {
            if (!split.isExhausted()) {
                splits.add(split.copy());
            }
        }
        wakeUp();
    }

    @Override
    public void notifyNoMoreSplits() {
        noMoreSplits = true;
        wakeUp();
    }

    @Override
    public List<SequenceSplit> snapshotState(long checkpoint) {
        List<SequenceSplit> copies = new ArrayList<>();
        for (SequenceSplit split : splits) {
            copies.add(split.copy());
        }
        return copies;
    }

    @Override
    public void start() {}

    @Override
    public void close() {}

    private void wakeUp() {
        CompletableFuture<Void> waiting = splitsArrive;
        splitsArrive = new CompletableFuture<>();
        waiting.complete(null);
    }

    private long untilDue() {
        return ratePerSplit == 0 ? 0 : due - System.nanoTime();
    }

    private void scheduleNext(int ownSplits) {
        if (ratePerSplit > 0) {
            // After a pause (back pressure, a busy machine) at most one second is caught up.
            due = Math.max(due, System.nanoTime() - SECOND) + (long) (SECOND / (ratePerSplit * ownSplits));
        }
    }
}
