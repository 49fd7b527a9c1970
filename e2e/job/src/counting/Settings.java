package counting;

import java.io.Serializable;
import java.util.Arrays;

/** The arguments of the job. See README.md for what they mean. */
final class Settings implements Serializable {
    private static final long serialVersionUID = 1L;

    /** Elements per second of the whole job, 0 for as fast as possible. */
    double rate = 100;
    /** Keys per split. Must not change between a snapshot and its restore. */
    int keys = 10;
    /** Sequences; also the highest parallelism that has any use. Must not change across a restore. */
    int splits = 8;
    /** Elements after which the job finishes. */
    long count = Long.MAX_VALUE;
    /** Directory of the ledger file, null for standard output. */
    String ledger;
    /** Name of the ledger file, without its ending. */
    String name = "counting";
    /** Checkpoint interval in milliseconds, null to leave it to Flink's configuration. */
    Long checkpointInterval;
    /** The element with which the job fails, counted from 1. */
    long failAt = Long.MAX_VALUE;
    /** How many attempts fail at {@link #failAt}, counted from the start of a JobManager. */
    int failTimes = Integer.MAX_VALUE;
    boolean failInMain;
    /** Seconds that main() sleeps before it hands over the job. */
    long slowStart;
    /** Seconds that the ledger sleeps before its task runs. */
    long slowOpen;

    static Settings parse(String[] arguments) {
        Settings settings = new Settings();
        for (int i = 0; i < arguments.length; i++) {
            if (arguments[i].equals("--fail-in-main")) {
                settings.failInMain = true;
            } else if (i + 1 < arguments.length) {
                settings.set(arguments[i], arguments[++i]);
            } else {
                throw new IllegalArgumentException("no value for " + arguments[i] + " in " + Arrays.toString(arguments));
            }
        }
        if (settings.keys < 1 || settings.splits < 1 || settings.count < 0 || settings.rate < 0) {
            throw new IllegalArgumentException("argument out of range in " + Arrays.toString(arguments));
        }
        return settings;
    }

    private void set(String name, String value) {
        switch (name) {
            case "--rate": rate = Double.parseDouble(value); break;
            case "--keys": keys = Integer.parseInt(value); break;
            case "--splits": splits = Integer.parseInt(value); break;
            case "--count": count = Long.parseLong(value); break;
            case "--ledger": ledger = value; break;
            case "--name": this.name = value; break;
            case "--checkpoint-interval": checkpointInterval = Long.valueOf(value); break;
            case "--fail-at": failAt = Long.parseLong(value); break;
            case "--fail-times": failTimes = Integer.parseInt(value); break;
            case "--slow-start": slowStart = Long.parseLong(value); break;
            case "--slow-open": slowOpen = Long.parseLong(value); break;
            default: throw new IllegalArgumentException("unknown argument " + name);
        }
    }
}
