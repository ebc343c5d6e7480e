// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

/// `scripts/fuzz` has what it fuzzes count which code is reached.
let isFuzzing = Context.environment["HONGBAO_FUZZ"] != nil
let fuzzed: [SwiftSetting] = isFuzzing ? [.unsafeFlags(["-sanitize=fuzzer"])] : []

/// Store in MariaDB, beside the SQLite file: `swift build --traits MySQL`. It needs `libmariadb-dev`; without the trait
/// nothing does.
let mySQL = "MySQL"

/// The queue of a cluster, in NATS: `swift build --traits MySQL,NATS`. It needs `libnats-dev`; without the trait
/// nothing does.
let nats = "NATS"

let package = Package(
    name: "hongbao",
    products: [
        .executable(name: "hongbao", targets: ["hongbao"]),
        .executable(name: "hongbao-dev", targets: ["hongbao-dev"]),
        .executable(name: "hongbao-history", targets: ["hongbao-history"]),
        .library(name: "HongbaoSDK", targets: ["HongbaoSDK"]),
    ],
    traits: [
        .trait(name: mySQL, description: "The store of a cluster, in MariaDB. Needs libmariadb-dev."),
        .trait(name: nats, description: "The queue of a cluster, in NATS. Needs libnats-dev."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: ["YAML"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl.git", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // The rules. Imports nothing.
        .target(
            name: "HongbaoCore",
            // Planted bugs for the simulator; see Mutant.swift.
            swiftSettings: strict + fuzzed + [.strictMemorySafety(), .define("MUTANTS", .when(configuration: .debug))]
        ),
        // Generated from proto/ by scripts/generate-proto.
        .target(
            name: "HongbaoProto",
            dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: strict
        ),
        // The use cases and the seams.
        .target(
            name: "HongbaoEngine",
            dependencies: [
                "HongbaoCore",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict + fuzzed
        ),
        .target(
            name: "HongbaoSQLite",
            dependencies: [
                "HongbaoCore", "HongbaoEngine",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        // Hot state outside the process. In Swift alone: it needs no library of the system.
        .target(
            name: "HongbaoRedis",
            dependencies: [
                "HongbaoCore", "HongbaoEngine",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: strict + fuzzed
        ),
        .systemLibrary(
            name: "CMariaDB",
            pkgConfig: "libmariadb",
            providers: [.apt(["libmariadb-dev"])]
        ),
        // What of MariaDB's client library is used, without its headers. Empty without the trait.
        .target(
            name: "CMySQLClient",
            dependencies: [.target(name: "CMariaDB", condition: .when(traits: [mySQL]))],
            cSettings: [.define("HONGBAO_MYSQL", .when(traits: [mySQL]))]
        ),
        .target(
            name: "HongbaoMySQL",
            dependencies: ["CMySQLClient", "HongbaoCore", "HongbaoEngine"],
            swiftSettings: strict
        ),
        .systemLibrary(name: "CNATS", pkgConfig: "libnats", providers: [.apt(["libnats-dev"])]),
        // What of NATS's client library is used, without its headers. Empty without the trait.
        .target(
            name: "CNATSClient",
            dependencies: [.target(name: "CNATS", condition: .when(traits: [nats]))],
            cSettings: [.define("HONGBAO_NATS", .when(traits: [nats]))]
        ),
        .target(name: "HongbaoNATS", dependencies: ["CNATSClient", "HongbaoEngine"], swiftSettings: strict),
        // The only module that knows HTTP and JSON.
        .target(
            name: "HongbaoGateway",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoProto",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            resources: [.embedInCode("Pages/assets")],
            swiftSettings: strict + fuzzed
        ),
        // The composition root: configuration in, running services out.
        .target(
            name: "HongbaoServer",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoGateway", "HongbaoRedis", "HongbaoSQLite",
                .target(name: "HongbaoMySQL", condition: .when(traits: [mySQL])),
                .target(name: "HongbaoNATS", condition: .when(traits: [nats])),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict
        ),
        // The platform without its server, for other programs. The only module with a public API.
        .target(
            name: "HongbaoSDK",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoSQLite",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "HongbaoTesting",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoSQLite",
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        // The engine in virtual time, against everything that can go wrong.
        .target(
            name: "HongbaoSimulator",
            dependencies: [
                "HongbaoCore", "HongbaoEngine",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        // What must hold for any input, and what makes inputs.
        .target(
            name: "HongbaoFuzzing",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoGateway", "HongbaoProto", "HongbaoRedis",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict + fuzzed
        ),
        .executableTarget(
            name: "hongbao",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoGateway", "HongbaoProto", "HongbaoServer", "HongbaoSQLite",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "SystemPackage", package: "swift-system"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "hongbao-dev",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoGateway", "HongbaoProto", "HongbaoServer", "HongbaoSQLite",
                "HongbaoFuzzing", "HongbaoRedis", "HongbaoSimulator", "HongbaoTesting",
                .target(name: "CMySQLClient", condition: .when(traits: [mySQL])),
                .target(name: "HongbaoMySQL", condition: .when(traits: [mySQL])),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        // The least that runs simulations, to compare optimised builds with others.
        .executableTarget(name: "hongbao-history", dependencies: ["HongbaoSimulator"], swiftSettings: strict),
        .testTarget(
            name: "HongbaoCoreTests",
            dependencies: ["HongbaoCore", "HongbaoTesting"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "HongbaoEngineTests",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoFuzzing", "HongbaoProto", "HongbaoTesting", "HongbaoSQLite",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SimulatorTests",
            dependencies: ["HongbaoCore", "HongbaoEngine", "HongbaoSimulator", "HongbaoTesting", "hongbao-dev"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "StoreContractTests",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoSQLite", "HongbaoSimulator", "HongbaoTesting",
                .target(name: "HongbaoMySQL", condition: .when(traits: [mySQL])),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),
        // With the trait NATS these start nats-server.
        .testTarget(
            name: "QueueContractTests",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoTesting",
                .target(name: "HongbaoNATS", condition: .when(traits: [nats])),
            ],
            swiftSettings: strict
        ),
        // These start redis-server.
        .testTarget(
            name: "HongbaoRedisTests",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoRedis", "HongbaoSQLite", "HongbaoTesting",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "HongbaoGatewayTests",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoGateway", "HongbaoProto", "HongbaoServer", "HongbaoTesting",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "HongbaoSDKTests",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoGateway", "HongbaoSDK", "HongbaoSQLite", "HongbaoTesting",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        // These start the built binaries as a user would.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "HongbaoCore", "HongbaoEngine", "HongbaoProto", "HongbaoRedis", "HongbaoSQLite", "HongbaoTesting",
                "HongbaoGateway", "hongbao", "hongbao-dev",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "FuzzingTests",
            dependencies: ["HongbaoCore", "HongbaoEngine", "HongbaoFuzzing"],
            swiftSettings: strict
        ),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ],
    swiftLanguageModes: [.v6]
)

if isFuzzing {
    // libFuzzer, whose library only such a build links.
    package.products.append(.executable(name: "hongbao-fuzz", targets: ["hongbao-fuzz"]))
    package.targets.append(
        .executableTarget(
            name: "hongbao-fuzz",
            dependencies: ["HongbaoFuzzing"],
            swiftSettings: strict + fuzzed,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer"])]
        )
    )
}
