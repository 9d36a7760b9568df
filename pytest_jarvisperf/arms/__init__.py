"""Inside an arm: the worker process that measures one side of a comparison."""
