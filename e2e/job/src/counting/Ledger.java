package counting;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.UUID;
import org.apache.flink.api.common.TaskInfo;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.CheckpointListener;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.runtime.state.FunctionInitializationContext;
import org.apache.flink.runtime.state.FunctionSnapshotContext;
import org.apache.flink.streaming.api.checkpoint.CheckpointedFunction;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;

/**
 * The only subtask that sees every element. It writes one line when it starts, at every checkpoint, when a checkpoint
 * completes, about once a second, when the last element of a bounded job came, when it ends, and at once for whatever
 * was lost or doubled.
 */
final class Ledger extends ProcessFunction<Counted, Void> implements CheckpointedFunction, CheckpointListener {
    private static final long serialVersionUID = 1L;
    private static final long PROGRESS_MILLIS = 1000;

    private final Settings settings;
    private final boolean aligned;

    private transient LedgerFile file;
    private transient String run;
    private transient ListState<SplitRecord> splitState;
    private transient ListState<Long> totalState;
    private transient Map<Integer, SplitRecord> splits;
    private transient Map<String, Long> keyErrors;
    private transient Map<Long, Long> snapshots;
    private transient long count;
    private transient long sum;
    private transient long lastProgress;

    /** @param aligned whether every element before a barrier arrives before the snapshot, so that a gap is a loss */
    Ledger(Settings settings, boolean aligned) {
        this.settings = settings;
        this.aligned = aligned;
    }

    @Override
    public void initializeState(FunctionInitializationContext context) throws Exception {
        run = UUID.randomUUID().toString();
        splits = new HashMap<>();
        keyErrors = new HashMap<>();
        snapshots = new HashMap<>();
        splitState = context.getOperatorStateStore()
                .getListState(new ListStateDescriptor<>("splits", Types.POJO(SplitRecord.class)));
        totalState = context.getOperatorStateStore().getListState(new ListStateDescriptor<>("totals", Types.LONG));
        for (SplitRecord split : splitState.get()) {
            splits.put(split.split, split);
        }
        List<Long> totals = new ArrayList<>();
        totalState.get().forEach(totals::add);
        if (!totals.isEmpty()) {
            requireSameKeys(totals);
            count = totals.get(0);
            sum = totals.get(1);
        }
        file = new LedgerFile(settings.ledger, settings.name);
        OptionalLong checkpoint = context.getRestoredCheckpointId();
        line("start", "restored", context.isRestored(),
                "checkpoint", checkpoint.isPresent() ? checkpoint.getAsLong() : null,
                "job", getRuntimeContext().getJobInfo().getJobId().toString(),
                "attempt", getRuntimeContext().getTaskInfo().getAttemptNumber());
    }

    private void requireSameKeys(List<Long> totals) {
        if (totals.get(2) != settings.keys) {
            throw new IllegalArgumentException("--keys was " + totals.get(2) + " in the state that is restored");
        }
    }

    @Override
    public void open(OpenContext context) throws Exception {
        getRuntimeContext().getMetricGroup().gauge("sequence", () -> count);
        Thread.sleep(settings.slowOpen * 1000);
    }

    @Override
    public void processElement(Counted element, Context context, Collector<Void> out) throws Exception {
        checkKey(element);
        SplitRecord split = splits.computeIfAbsent(element.split, SplitRecord::new);
        if (!split.see(element.number)) {
            line("doubled", "by", 1, "split", element.split, "number", element.number);
        }
        count++;
        sum += element.number;
        failIfAsked();
        long now = System.currentTimeMillis();
        if (count == settings.count) {
            line("finished");
        } else if (now - lastProgress >= PROGRESS_MILLIS) {
            lastProgress = now;
            line("progress");
        }
    }

    /** Reports a key whose count is off, once for each size of the error. */
    private void checkKey(Counted element) throws IOException {
        long error = element.count - element.expected;
        long known = keyErrors.getOrDefault(element.key, 0L);
        if (error != known) {
            keyErrors.put(element.key, error);
            line(error < known ? "lost" : "doubled", "by", Math.abs(error - known), "key", element.key);
        }
    }

    private void failIfAsked() {
        TaskInfo task = getRuntimeContext().getTaskInfo();
        if (count == settings.failAt && task.getAttemptNumber() < settings.failTimes) {
            throw new IllegalStateException("element " + count + " fails because of --fail-at");
        }
    }

    @Override
    public void snapshotState(FunctionSnapshotContext context) throws Exception {
        List<SplitRecord> copies = new ArrayList<>();
        for (SplitRecord split : splits.values()) {
            long missing = aligned ? split.closeGaps() : 0;
            if (missing > 0) {
                line("lost", "by", missing, "split", split.split, "number", split.next);
            }
            copies.add(split.copy());
        }
        splitState.update(copies);
        totalState.update(List.of(count, sum, (long) settings.keys));
        snapshots.put(context.getCheckpointId(), count);
        line("snapshot", "checkpoint", context.getCheckpointId());
    }

    @Override
    public void notifyCheckpointComplete(long checkpoint) throws Exception {
        // What the checkpoint holds, not what was counted since.
        file.write("event", "complete", "run", run, "checkpoint", checkpoint, "count", snapshots.get(checkpoint));
        snapshots.keySet().removeIf(older -> older <= checkpoint);
    }

    @Override
    public void close() throws Exception {
        if (file != null) {
            line("end");
            file.close();
        }
    }

    private void line(String event, Object... more) throws IOException {
        long sequence = 0;
        long expectedSum = 0;
        for (SplitRecord split : splits.values()) {
            sequence += split.next;
            expectedSum += split.next * (split.next - 1) / 2;
        }
        List<Object> pairs = new ArrayList<>(List.of(
                "event", event, "run", run, "time", System.currentTimeMillis(),
                "sequence", sequence, "count", count, "expectedSum", expectedSum, "sum", sum));
        pairs.addAll(Arrays.asList(more));
        file.write(pairs.toArray());
    }
}
