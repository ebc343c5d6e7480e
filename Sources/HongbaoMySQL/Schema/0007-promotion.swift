extension Schema {
    /// What the mints of a division have in common when they were one before (DP-1): the first mint's log up to here.
    static let promotion0007 = Migration(
        number: 7,
        name: "promotion",
        statements: [
            // M5: all of it is posted, since no other mint posts it.
            """
            ALTER TABLE mint
                ADD COLUMN IF NOT EXISTS common_sequence BIGINT NOT NULL DEFAULT 0
                    CHECK (common_sequence BETWEEN 0 AND posted_sequence)
            """,
            refusal(
                "common_log_is_fixed",
                "UPDATE ON mint",
                when: "NEW.common_sequence <> OLD.common_sequence",
                "DP-3: what was granted before the division stays where it is"
            ),
        ]
    )
}
