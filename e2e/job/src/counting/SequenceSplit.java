package counting;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.apache.flink.api.connector.source.SourceSplit;
import org.apache.flink.core.io.SimpleVersionedSerializer;

/** One sequence 0, 1, 2, … up to (not including) {@code end}, and how far it has been read. */
final class SequenceSplit implements SourceSplit {
    final int index;
    final long end;
    long next;

    SequenceSplit(int index, long next, long end) {
        this.index = index;
        this.next = next;
        this.end = end;
    }

    SequenceSplit copy() {
        return new SequenceSplit(index, next, end);
    }

    boolean isExhausted() {
        return next >= end;
    }

    @Override
    public String splitId() {
        return Integer.toString(index);
    }

    /** Index, next number and end, big-endian. */
    static final class Serializer implements SimpleVersionedSerializer<SequenceSplit> {
        static final int BYTES = Integer.BYTES + 2 * Long.BYTES;

        @Override
        public int getVersion() {
            return 1;
        }

        @Override
        public byte[] serialize(SequenceSplit split) {
            ByteBuffer buffer = ByteBuffer.allocate(BYTES);
            write(split, buffer);
            return buffer.array();
        }

        @Override
        public SequenceSplit deserialize(int version, byte[] bytes) throws IOException {
            requireVersion(version);
            return read(ByteBuffer.wrap(bytes));
        }

        static void requireVersion(int version) throws IOException {
            if (version != 1) {
                throw new IOException("split state of unknown version " + version);
            }
        }

        static void write(SequenceSplit split, ByteBuffer buffer) {
            buffer.putInt(split.index).putLong(split.next).putLong(split.end);
        }

        static SequenceSplit read(ByteBuffer buffer) {
            return new SequenceSplit(buffer.getInt(), buffer.getLong(), buffer.getLong());
        }
    }
}
