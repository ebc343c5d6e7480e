/// How a connection to one server behaves.
package struct RedisSettings: Sendable {
    /// Until a connection is made and the server has let us in.
    package var connectTimeout = Duration.seconds(1)
    /// With answers outstanding, a server that says nothing for so long is given up, and the connection made anew.
    package var silenceMax = Duration.seconds(2)
    /// Between two attempts to connect: the first pause and the longest, doubled each time.
    package var firstPause = Duration.milliseconds(50)
    package var pauseMax = Duration.seconds(2)
    /// Calls that wait, sent or not. More are refused.
    package var callsMax = 65_536
    /// Bytes of commands that wait, sent or not. More are refused.
    package var bytesMax = 16 << 20
    package var parser = RESPParser.Limits()
    /// How often a call of a cluster is sent elsewhere or again before it fails.
    package var redirectsMax = 8

    package init() {}
}
