package counting;

import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.state.ValueState;
import org.apache.flink.api.common.state.ValueStateDescriptor;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.streaming.api.functions.KeyedProcessFunction;
import org.apache.flink.util.Collector;

/** Counts the elements of each key in keyed state. */
final class CountPerKey extends KeyedProcessFunction<String, Numbered, Counted> {
    private static final long serialVersionUID = 1L;

    private final int keys;
    private transient ValueState<Long> counts;

    CountPerKey(int keys) {
        this.keys = keys;
    }

    @Override
    public void open(OpenContext context) {
        counts = getRuntimeContext().getState(new ValueStateDescriptor<>("count", Types.LONG));
    }

    @Override
    public void processElement(Numbered element, Context context, Collector<Counted> out) throws Exception {
        Long before = counts.value();
        long count = before == null ? 1 : before + 1;
        counts.update(count);
        out.collect(new Counted(element, context.getCurrentKey(), count, element.expectedCount(keys)));
    }
}
