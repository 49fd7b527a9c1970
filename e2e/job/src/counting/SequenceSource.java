package counting;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.connector.source.Boundedness;
import org.apache.flink.api.connector.source.Source;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.SplitEnumerator;
import org.apache.flink.api.connector.source.SplitEnumeratorContext;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/**
 * Reads a fixed number of gap-free sequences. The number of splits does not depend on the parallelism, so that the
 * position of every sequence survives rescaling. The state of the enumerator is the list of splits not yet given out.
 */
final class SequenceSource implements Source<Numbered, SequenceSplit, List<SequenceSplit>> {
    private static final long serialVersionUID = 1L;

    private final int splits;
    private final long count;
    private final double rate;

    /**
     * @param splits number of sequences, at least 1
     * @param count elements of all sequences together, {@link Long#MAX_VALUE} for an endless stream
     * @param rate elements per second of all sequences together, 0 for as fast as possible
     */
    SequenceSource(int splits, long count, double rate) {
        this.splits = splits;
        this.count = count;
        this.rate = rate;
    }

    @Override
    public Boundedness getBoundedness() {
        return isBounded() ? Boundedness.BOUNDED : Boundedness.CONTINUOUS_UNBOUNDED;
    }

    @Override
    public SplitEnumerator<SequenceSplit, List<SequenceSplit>> createEnumerator(
            SplitEnumeratorContext<SequenceSplit> context) {
        List<SequenceSplit> all = new ArrayList<>();
        for (int index = 0; index < splits; index++) {
            all.add(new SequenceSplit(index, 0, isBounded() ? length(index) : Long.MAX_VALUE));
        }
        return restoreEnumerator(context, all);
    }

    @Override
    public SplitEnumerator<SequenceSplit, List<SequenceSplit>> restoreEnumerator(
            SplitEnumeratorContext<SequenceSplit> context, List<SequenceSplit> pending) {
        return new SequenceEnumerator(context, pending, isBounded());
    }

    @Override
    public SourceReader<Numbered, SequenceSplit> createReader(SourceReaderContext context) {
        return new SequenceReader(rate / splits);
    }

    @Override
    public SimpleVersionedSerializer<SequenceSplit> getSplitSerializer() {
        return new SequenceSplit.Serializer();
    }

    @Override
    public SimpleVersionedSerializer<List<SequenceSplit>> getEnumeratorCheckpointSerializer() {
        return new PendingSerializer();
    }

    private boolean isBounded() {
        return count != Long.MAX_VALUE;
    }

    /** The share of one split; the first ones take the remainder. */
    private long length(int index) {
        return count / splits + (index < count % splits ? 1 : 0);
    }

    private static final class PendingSerializer implements SimpleVersionedSerializer<List<SequenceSplit>> {
        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(List<SequenceSplit> pending) {
            ByteBuffer buffer = ByteBuffer.allocate(pending.size() * SequenceSplit.Serializer.BYTES);
            for (SequenceSplit split : pending) {
                SequenceSplit.Serializer.write(split, buffer);
            }
            return buffer.array();
        }

        @Override
        public List<SequenceSplit> deserialize(int version, byte[] bytes) throws IOException {
            SequenceSplit.Serializer.requireVersion(version);
            List<SequenceSplit> pending = new ArrayList<>();
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                pending.add(SequenceSplit.Serializer.read(buffer));
            }
            return pending;
        }
    }
}
