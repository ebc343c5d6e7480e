extension Schema {
    /// Which server of several is the primary, and since when (FC-8). A switch-over raises the number on the server
    /// that it promotes. It's of this database alone: a file has no replica.
    static let reign0008 = Migration(
        number: 8,
        name: "reign",
        statements: [
            table(
                "reign",
                """
                id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
                number BIGINT NOT NULL CHECK (number > 0),
                server BIGINT NOT NULL CHECK (server > 0),
                is_alone BIGINT NOT NULL CHECK (is_alone IN (0, 1))
                """
            )
        ]
    )
}
