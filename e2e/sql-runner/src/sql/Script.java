package sql;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Finds out where the statements of a script end. */
final class Script {
    /** What may hold a semicolon that ends nothing: comments, texts, quoted names. */
    private static final String OPAQUE = "--[^\\n]*|/\\*.*?\\*/|'[^']*'|`[^`]*`";

    private static final Pattern PART = Pattern.compile("(" + OPAQUE + ")|;|[^;]", Pattern.DOTALL);

    /** Such a statement goes on until its END. */
    private static final Pattern SET_OF_STATEMENTS =
            Pattern.compile("EXECUTE\\s+STATEMENT\\s+SET\\b.*", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

    private static final Pattern WITH_END = Pattern.compile(".*\\bEND", Pattern.CASE_INSENSITIVE | Pattern.DOTALL);

    private Script() {}

    /** The statements, without comments and the semicolons behind them. */
    static List<String> statements(String script) {
        List<String> statements = new ArrayList<>();
        StringBuilder statement = new StringBuilder();
        Matcher part = PART.matcher(script);
        while (part.find()) {
            String text = part.group();
            if (!text.equals(";") || isOpen(statement.toString().strip())) {
                statement.append(isComment(part.group(1)) ? " " : text);
            } else {
                add(statement, statements);
            }
        }
        add(statement, statements);
        return statements;
    }

    private static boolean isOpen(String statement) {
        return SET_OF_STATEMENTS.matcher(statement).matches() && !WITH_END.matcher(statement).matches();
    }

    private static boolean isComment(String opaque) {
        return opaque != null && (opaque.startsWith("--") || opaque.startsWith("/*"));
    }

    private static void add(StringBuilder statement, List<String> statements) {
        String text = statement.toString().strip();
        if (!text.isEmpty()) {
            statements.add(text);
        }
        statement.setLength(0);
    }
}
