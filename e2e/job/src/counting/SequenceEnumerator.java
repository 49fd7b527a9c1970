package counting;

import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;

/** Gives each reader its share of the splits as soon as it registers. */
final class SequenceEnumerator implements SplitEnumerator<SequenceSplit, List<SequenceSplit>> {
    private final SplitEnumeratorContext<SequenceSplit> context;
    private final List<SequenceSplit> pending;
    private final boolean bounded;

    SequenceEnumerator(
            SplitEnumeratorContext<SequenceSplit> context, List<SequenceSplit> pending, boolean bounded) {
        this.context = context;
        this.pending = new ArrayList<>(pending);
        this.bounded = bounded;
    }

    @Override
    public void addReader(int subtask) {
        for (Iterator<SequenceSplit> splits = pending.iterator(); splits.hasNext(); ) {
            SequenceSplit split = splits.next();
            if (split.index % context.currentParallelism() == subtask) {
                context.assignSplit(split, subtask);
                splits.remove();
            }
        }
        // An endless stream must not end the readers that got no split: a later rescaling may need them.
        if (bounded) {
            context.signalNoMoreSplits(subtask);
        }
    }

    @Override
    public void addSplitsBack(List<SequenceSplit> splits, int subtask) {
        pending.addAll(splits);
    }

    @Override
    public List<SequenceSplit> snapshotState(long checkpoint) {
        return new ArrayList<>(pending);
    }

    @Override
    public void start() {}

    @Override
    public void handleSplitRequest(int subtask, String host) {}

    @Override
    public void close() {}
}
