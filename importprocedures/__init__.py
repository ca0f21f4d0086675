"""Our own reader folders and schemas, in the shape of a beacon's ImportProcedures tree."""
