extension Schema {
    /// What the mints of a division have in common when they were one before (DP-1): the first mint's log up to here.
    static let promotion0007 = Migration(
        id: "0007-promotion",
        sql: """
            ALTER TABLE mint ADD COLUMN common_sequence INTEGER NOT NULL DEFAULT 0
                -- M5: all of it is posted, since no other mint posts it.
                CHECK (common_sequence BETWEEN 0 AND posted_sequence);
            CREATE TRIGGER common_log_is_fixed BEFORE UPDATE ON mint WHEN NEW.common_sequence <> OLD.common_sequence
                BEGIN SELECT RAISE(ABORT, 'DP-3: what was granted before the division stays where it is'); END;
            """
    )
}
