package counting;

import java.util.TreeSet;

/**
 * Which numbers of one split have been seen. They come through several subtasks and therefore out of order between
 * two checkpoint barriers. A Flink POJO, part of the ledger's state.
 */
public class SplitRecord {
    public int split;
    /** Every number below this one was seen. */
    public long next;
    /** Numbers above {@link #next} that were seen. */
    public long[] ahead = {};

    private transient TreeSet<Long> waiting;

    public SplitRecord() {}

    SplitRecord(int split) {
        this.split = split;
    }

    /** Returns false if the number was seen before. */
    boolean see(long number) {
        if (number < next || !waiting().add(number)) {
            return false;
        }
        while (waiting.remove(next)) {
            next++;
        }
        return true;
    }

    /** Gives up on the numbers that are missing below the highest one seen; returns how many. */
    long closeGaps() {
        if (waiting().isEmpty()) {
            return 0;
        }
        long end = waiting.last() + 1;
        long missing = end - next - waiting.size();
        waiting.clear();
        next = end;
        return missing;
    }

    /** A copy for a snapshot. */
    SplitRecord copy() {
        SplitRecord copy = new SplitRecord(split);
        copy.next = next;
        copy.ahead = waiting().stream().mapToLong(Long::longValue).toArray();
        return copy;
    }

    private TreeSet<Long> waiting() {
        if (waiting == null) {
            waiting = new TreeSet<>();
            for (long number : ahead) {
                waiting.add(number);
            }
        }
        return waiting;
    }
}
