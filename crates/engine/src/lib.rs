//! The only room with side effects: caches, scheduling, Flink polling, execution, status and events.
