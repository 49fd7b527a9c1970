package counting;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file of JSON lines. Each line is one appending write, so that lines of two writers never mix. */
final class LedgerFile implements Closeable {
    private final FileChannel channel;

    /** @param directory where the file lies, null for standard output */
    LedgerFile(String directory, String name) throws IOException {
        if (directory == null) {
            channel = null;
            return;
        }
        Path folder = Path.of(directory);
        Files.createDirectories(folder);
        channel = FileChannel.open(
                folder.resolve(name + ".jsonl"), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    /** Writes one object. The pairs are names and values; values are null, numbers, booleans or plain text. */
    void write(Object... pairs) throws IOException {
        StringBuilder line = new StringBuilder("{");
        for (int i = 0; i < pairs.length; i += 2) {
            line.append(i == 0 ? "" : ",").append('"').append(pairs[i]).append("\":");
            Object value = pairs[i + 1];
            line.append(value instanceof String ? "\"" + value + "\"" : String.valueOf(value));
        }
        line.append("}\n");
        if (channel == null) {
            System.out.print(line);
            System.out.flush();
            return;
        }
        ByteBuffer bytes = StandardCharsets.UTF_8.encode(line.toString());
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    @Override
    public void close() throws IOException {
        if (channel != null) {
            channel.close();
        }
    }
}
