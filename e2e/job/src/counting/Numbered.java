package counting;

/** One element of the stream: the {@code number}th (from 0) of a split. A Flink POJO. */
public class Numbered {
    public int split;
    public long number;

    public Numbered() {}

    Numbered(int split, long number) {
        this.split = split;
        this.number = number;
    }

    /** The key under which this element is counted. Every key belongs to one split, so its elements keep their order. */
    String key(int keys) {
        return split + ":" + number % keys;
    }

    /** The count its key must have reached with this element, if every earlier one was counted exactly once. */
    long expectedCount(int keys) {
        return number / keys + 1;
    }
}
