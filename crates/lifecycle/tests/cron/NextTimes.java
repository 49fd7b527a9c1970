import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Instant;
import java.util.Date;
import java.util.StringJoiner;
import java.util.TimeZone;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * Prints the next five times of cron expressions: makes next_times.tsv.
 *
 * <p>Reads lines of expression, zone and start, separated by tabs; other columns are ignored. Adds what Quartz says, and
 * what Log4j's copy of Quartz says if that is something else. Needs both on the class path.
 */
class NextTimes {
    interface Next {
        Date after(Date time);
    }

    interface Parser {
        Next parse(String expression, TimeZone zone) throws java.text.ParseException;
    }

    static Next quartz(String expression, TimeZone zone) throws java.text.ParseException {
        var cron = new org.quartz.CronExpression(expression);
        cron.setTimeZone(zone);
        return cron::getNextValidTimeAfter;
    }

    static Next log4j(String expression, TimeZone zone) throws java.text.ParseException {
        var cron = new org.apache.logging.log4j.core.util.CronExpression(expression);
        cron.setTimeZone(zone);
        return cron::getNextValidTimeAfter;
    }

    static String fiveTimes(Parser parser, String expression, TimeZone zone, Instant start) {
        Next next;
        try {
            next = parser.parse(expression, zone);
        } catch (java.text.ParseException e) {
            return "refused";
        }
        var times = new StringJoiner(" ");
        var time = Date.from(start);
        for (int i = 0; i < 5; i++) {
            time = next.after(time);
            if (time == null) {
                return times.add("never").toString();
            }
            times.add(time.toInstant().toString());
        }
        return times.toString();
    }

    /** The answer, or that there is none: some expressions are searched for without end. */
    static String answer(Parser parser, String[] row) throws InterruptedException {
        var task = new FutureTask<>(
                () -> fiveTimes(parser, row[0], TimeZone.getTimeZone(row[1]), Instant.parse(row[2])));
        var thread = new Thread(task);
        thread.setDaemon(true);
        thread.start();
        try {
            return task.get(5, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            return "hangs";
        } catch (ExecutionException e) {
            return "fails";
        }
    }

    public static void main(String[] args) throws Exception {
        var rows = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = rows.readLine()) != null; ) {
            if (line.startsWith("#")) {
                System.out.println(line);
                continue;
            }
            var row = line.split("\t");
            var quartz = answer(NextTimes::quartz, row);
            var log4j = answer(NextTimes::log4j, row);
            var both = quartz.equals(log4j) ? quartz : quartz + "\t" + log4j;
            System.out.println(String.join("\t", row[0], row[1], row[2], both));
        }
    }
}
