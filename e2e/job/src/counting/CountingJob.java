package counting;

import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Counts gap-free sequences and writes down what it counted, so that lost or repeated state shows. */
public final class CountingJob {
    private CountingJob() {}

    public static void main(String[] arguments) throws Exception {
        Settings settings = Settings.parse(arguments);
        if (settings.failInMain) {
            throw new IllegalStateException("main() fails because of --fail-in-main");
        }
        Thread.sleep(settings.slowStart * 1000);

        StreamExecutionEnvironment environment = StreamExecutionEnvironment.getExecutionEnvironment();
        if (settings.checkpointInterval != null) {
            environment.enableCheckpointing(settings.checkpointInterval);
        }
        boolean aligned = !environment.getCheckpointConfig().isUnalignedCheckpointsEnabled();
        int keys = settings.keys;
        environment
                .fromSource(
                        new SequenceSource(settings.splits, settings.count, settings.rate),
                        WatermarkStrategy.noWatermarks(),
                        "sequence")
                .uid("sequence")
                .keyBy(element -> element.key(keys))
                .process(new CountPerKey(keys))
                .name("count")
                .uid("count")
                // Never chained, so that the ledger has the same maximum parallelism whatever that of the job is:
                // a chain would share it, and state could not be restored with another parallelism.
                .global()
                .process(new Ledger(settings, aligned))
                .name("ledger")
                .uid("ledger")
                .setParallelism(1)
                .setMaxParallelism(1);
        // No name: `pipeline.name` of the cluster's configuration shall decide.
        environment.execute();
    }
}
