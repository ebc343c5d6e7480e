import HongbaoServer
import Testing

/// `store.url`: one server, or a primary and its replicas.
@Suite struct DatabaseAddressTests {
    @Test func serversAreReadInTheirOrder() throws {
        let one = try #require(DatabaseAddress("mysql://user:p%2Cw@db/hongbao?ca=/ca.pem"))
        #expect(one.servers.map(\.description) == ["db:3306"] && one.password == "p,w" && one.socket == nil)
        let many = try #require(DatabaseAddress("mysql://user:a,b@10.0.0.1:3307,b.example,c:3309/hongbao?tls=on"))
        #expect(many.servers.map(\.port) == [3307, 3306, 3309] && many.database == "hongbao")
        #expect(many.password == "a,b" && many.security != nil)
        #expect("\(many)".hasPrefix("mysql://user@10.0.0.1:3307,b.example:3306") && !"\(many)".contains("a,b@"))
        #expect(DatabaseAddress("mysql://user@/hongbao?socket=/run/socket")?.socket == "/run/socket")
        for text in [
            "mysql://user@a,/hongbao", "mysql://user@,a/hongbao", "mysql://user@a,a/hongbao",
            "mysql://user@a:0,b/hongbao", "mysql://user@a,b:70000/hongbao", "mysql://user@a,b", "mysql://a,b/hongbao",
            "mysql://user@a,b/hongbao?socket=/run/socket", "mysql://user@1,2,3,4,5,6,7,8,9/hongbao", "a,b", "://,",
            "mysql://user@a b,c/hongbao",
        ] {
            #expect(DatabaseAddress(text) == nil, "\(text)")
        }
    }

    @Test func serversHaveAHostAndAPort() {
        #expect(DatabaseAddress.Server("b:3307")?.port == 3_307 && DatabaseAddress.Server("b")?.port == 3_306)
        for text in ["", ":1", "b:0", "b:x", "u@b", "b/c", "b?c", "a b"] {
            #expect(DatabaseAddress.Server(text) == nil, "\(text)")
        }
    }

    /// DP-3: what is moved is one of those that the settings name, to servers that others reach.
    @Test func whatIsMovedIsNamed() throws {
        var configuration = ServerConfiguration()
        #expect(throws: StartFault.self) { try MovingDatabase(configuration, number: 1, to: "b:3306") }
        configuration.store = DatabaseAddress("mysql://user@a/hongbao")
        configuration.shards = [try #require(DatabaseAddress("mysql://user@b/hongbao"))]
        for number in [1, 2] { _ = try MovingDatabase(configuration, number: number, to: "c:3306,d") }
        for number in [Int.min, -1, 0, 3, Int.max] {
            #expect(throws: StartFault.self, "\(number)") { try MovingDatabase(configuration, number: number, to: "c") }
        }
        for target in ["", "c,", "c,c", "u@c", "c:0", "/run/socket"] {
            #expect(throws: StartFault.self, "\(target)") { try MovingDatabase(configuration, number: 1, to: target) }
        }
    }
}
