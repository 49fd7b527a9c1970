package sql;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.flink.table.api.EnvironmentSettings;
import org.apache.flink.table.api.TableEnvironment;

/** Executes the statements of a script. See README.md for its arguments. */
public final class SqlRunner {
    /** The SQL client knows this statement, {@link TableEnvironment} does not. */
    private static final Pattern SET = Pattern.compile("SET\\s+'([^']+)'\\s*=\\s*'([^']*)'", Pattern.CASE_INSENSITIVE);

    private SqlRunner() {}

    public static void main(String[] arguments) throws IOException {
        TableEnvironment environment = TableEnvironment.create(EnvironmentSettings.inStreamingMode());
        for (String statement : Script.statements(script(arguments))) {
            Matcher option = SET.matcher(statement);
            if (option.matches()) {
                environment.getConfig().set(option.group(1), option.group(2));
            } else {
                // Not awaited: a cluster that runs a jar tells nobody there when the job has ended.
                environment.executeSql(statement);
            }
        }
    }

    private static String script(String[] arguments) throws IOException {
        if (arguments.length == 1) {
            return Files.readString(Path.of(arguments[0]));
        }
        if (arguments.length == 2 && arguments[0].equals("--text")) {
            return arguments[1];
        }
        throw new IllegalArgumentException("wanted: PATH, or --text SCRIPT; instead: " + Arrays.toString(arguments));
    }
}
