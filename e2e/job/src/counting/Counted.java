package counting;

/** An element together with the running count of its key, as kept in keyed state. A Flink POJO. */
public class Counted {
    public int split;
    public long number;
    public String key;
    /** What keyed state says, this element included. */
    public long count;
    /** What the element's number says. Any difference is lost or doubled keyed state. */
    public long expected;

    public Counted() {}

    Counted(Numbered element, String key, long count, long expected) {
        this.split = element.split;
        this.number = element.number;
        this.key = key;
        this.count = count;
        this.expected = expected;
    }
}
