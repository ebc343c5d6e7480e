extension Schema {
    /// On which servers the database is, when it isn't on those that have this row (decision 0031): where it was moved
    /// to, or of what this is a copy that isn't finished. Without a row it's here.
    static let place0009 = Migration(
        number: 9,
        name: "place",
        statements: [
            table(
                "place",
                """
                id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
                servers VARCHAR(2048) NOT NULL CHECK (servers <> ''),
                is_copy BIGINT NOT NULL CHECK (is_copy IN (0, 1))
                """
            )
        ]
    )
}
