// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// Settings that every target of the product shares.
var settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

// CI and scripts/test build with warnings as errors; a stranger with a newer compiler, whose warnings we have not
// seen yet, still gets a build.
if Context.environment["CULVERT_STRICT"] == "1" {
    settings.append(.treatAllWarnings(as: .error))
}

var products: [Product] = [
    .executable(name: "culvert-edge", targets: ["Edge"]),
    .executable(name: "culvert", targets: ["Connector"]),
    .library(name: "Mux", targets: ["Mux"]),
    .library(name: "Protocol", targets: ["Protocol"]),
]

// The fuzzers are a package of their own, which sees products only. These modules are for nobody else.
if Context.environment["CULVERT_FUZZ"] == "1" {
    products += ["ControlAPI", "EdgeProxy", "EdgeTunnels", "HTTP1", "Inspection", "JSONText"].map {
        .library(name: $0, targets: [$0])
    }
}

let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let database = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")

let package = Package(
    name: "culvert",
    platforms: [.macOS(.v15)],
    products: products,
    traits: [
        .trait(name: "Redis", description: "Edges that remember in Redis (cluster.redis.url); needs libhiredis-dev"),
        .default(enabledTraits: ["Redis"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.1.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.9.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
    ],
    targets: [
        // The wire format between the two programs.
        .target(
            name: "Protocol",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio")
            ],
            path: "Sources/Protocol/Wire",
            swiftSettings: settings
        ),
        // What the system says of a socket, in words.
        .target(
            name: "SystemErrors",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio")
            ],
            path: "Sources/Protocol/SystemErrors",
            swiftSettings: settings
        ),
        .target(
            name: "HTTP1",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio")
            ],
            path: "Sources/Protocol/HTTP1",
            swiftSettings: settings
        ),
        .target(name: "ControlAPI", path: "Sources/Protocol/ControlAPI", swiftSettings: settings),
        // The JSON that people write to the edge, read strictly: what of it needs no server, so that it can be fuzzed.
        .target(name: "JSONText", dependencies: ["ControlAPI"], path: "Sources/Edge/JSON", swiftSettings: settings),
        .target(name: "Program", swiftSettings: settings),
        .target(
            name: "Mux",
            dependencies: [
                "Protocol",
                "SystemErrors",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "EdgeInbox",
            dependencies: ["ControlAPI", crypto],
            path: "Sources/Edge/Inbox",
            swiftSettings: settings
        ),
        .target(
            name: "InboxFile",
            // SQLite itself for what GRDB does not have: who learns how long its log is.
            dependencies: ["ControlAPI", "EdgeInbox", database, .product(name: "GRDBSQLite", package: "GRDB.swift")],
            path: "Sources/Edge/InboxFile",
            swiftSettings: settings,
            // Statically, so that a program runs where there is no SQLite: GRDB asks for it, and it is looked for there first.
            linkerSettings: [
                .unsafeFlags(["-L\(Context.packageDirectory)/Sources/CSQLite"], .when(platforms: [.linux]))
            ]
        ),
        .target(
            name: "InboxRedis",
            dependencies: [
                "ControlAPI",
                "EdgeInbox",
                "RESP",
                "Redis",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Sources/Edge/InboxRedis",
            swiftSettings: settings
        ),
        .target(
            name: "EdgeTunnels",
            dependencies: [
                "ControlAPI",
                "EdgeInbox",
                "Mux",
                "Protocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Sources/Edge/Tunnels",
            swiftSettings: settings
        ),
        .target(
            name: "EdgeControl",
            dependencies: [
                "ControlAPI",
                "EdgeInbox",
                "EdgeTunnels",
                "JSONText",
                "Mux",
                "Protocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Sources/Edge/Control",
            exclude: ["Dashboard/Page"],
            swiftSettings: settings
        ),
        .target(
            name: "EdgeProxy",
            dependencies: [
                "ControlAPI",
                "EdgeInbox",
                "EdgeTunnels",
                "HTTP1",
                "Mux",
                "Protocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Sources/Edge/Proxy",
            swiftSettings: settings
        ),
        .target(
            name: "EdgeTCP",
            dependencies: [
                "ControlAPI",
                "EdgeTunnels",
                "Mux",
                "Protocol",
                "SystemErrors",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            path: "Sources/Edge/TCP",
            swiftSettings: settings
        ),
        .target(
            name: "EdgeLinks",
            dependencies: [
                "ControlAPI",
                "EdgeTCP",
                "EdgeTunnels",
                "Mux",
                "Protocol",
                "SystemErrors",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Sources/Edge/Links",
            swiftSettings: settings
        ),
        .systemLibrary(
            name: "CHiredis",
            providers: [.apt(["libhiredis-dev"]), .brew(["hiredis"])]
        ),
        .target(
            name: "RESP",
            dependencies: [.target(name: "CHiredis", condition: .when(traits: ["Redis"]))],
            path: "Sources/Redis/RESP",
            swiftSettings: settings,
            // Statically, so that a program runs where another version of the library is, or none.
            linkerSettings: [
                .linkedLibrary(":libhiredis.a", .when(platforms: [.linux], traits: ["Redis"])),
                .linkedLibrary("hiredis", .when(platforms: [.macOS], traits: ["Redis"])),
            ]
        ),
        .target(
            name: "Redis",
            dependencies: [
                "RESP",
                "SystemErrors",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Redis/Client",
            swiftSettings: settings
        ),
        .target(
            name: "EdgeDirectory",
            dependencies: [
                "ControlAPI",
                "EdgeTunnels",
                "RESP",
                "Redis",
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Edge/Directory",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Edge",
            dependencies: [
                "ControlAPI",
                "EdgeControl",
                "EdgeDirectory",
                "EdgeInbox",
                "EdgeLinks",
                "EdgeProxy",
                "EdgeTCP",
                "EdgeTunnels",
                "HTTP1",
                "InboxFile",
                "InboxRedis",
                "JSONText",
                "Mux",
                "Program",
                "Protocol",
                "Redis",
                "SystemErrors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            path: "Sources/Edge/Main",
            swiftSettings: settings
        ),
        .systemLibrary(
            name: "CZlib",
            pkgConfig: "zlib",
            providers: [.apt(["zlib1g-dev"])]
        ),
        .target(
            name: "Inspection",
            dependencies: [
                "CZlib",
                "ControlAPI",
                "HTTP1",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            path: "Sources/Connector/Inspection",
            swiftSettings: settings
        ),
        .target(
            name: "ConnectorCore",
            dependencies: [
                "ControlAPI",
                "HTTP1",
                "Inspection",
                "Mux",
                "Program",
                "Protocol",
                "SystemErrors",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Connector/Core",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "Connector",
            dependencies: [
                "ConnectorCore",
                "ControlAPI",
                "Inspection",
                "Mux",
                "Program",
                "Protocol",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            path: "Sources/Connector/Main",
            exclude: ["Inspector/Page"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ProtocolTests",
            dependencies: [
                "Protocol",
                "SystemErrors",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            exclude: ["Reference"],
            resources: [.copy("Vectors")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "MuxTests",
            dependencies: [
                "Mux",
                "Protocol",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "HTTP1Tests",
            dependencies: [
                "HTTP1",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(name: "ControlAPITests", dependencies: ["ControlAPI"], swiftSettings: settings),
        .testTarget(
            name: "ProgramTests",
            dependencies: [
                "Program",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "ControlAPI",
                "EdgeProxy",
                "EdgeTunnels",
                "HTTP1",
                "Inspection",
                "JSONText",
                "Mux",
                "Protocol",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            path: "Fuzz",
            exclude: [
                "Corpus", "Dictionaries", "FailCases", "Package.swift", "README.md", "make-seeds", "run",
                "Sources/FuzzDriver",
                "Sources/fuzz-answers", "Sources/fuzz-capture", "Sources/fuzz-chunked", "Sources/fuzz-differential",
                "Sources/fuzz-frames", "Sources/fuzz-http1", "Sources/fuzz-json", "Sources/fuzz-metadata",
                "Sources/fuzz-rewrite", "Sources/fuzz-session", "Sources/fuzz-websocket",
            ],
            sources: ["Sources/FuzzTargets", "Tests"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EdgeTests",
            dependencies: [
                "ControlAPI",
                "Edge",
                "EdgeControl",
                "EdgeLinks",
                "EdgeProxy",
                "EdgeTCP",
                "EdgeTunnels",
                "HTTP1",
                "JSONText",
                "Mux",
                "Program",
                "Protocol",
                "RedisServer",
                database,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Metrics", package: "swift-metrics"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        // A redis-server that tests start; for three suites of tests.
        .target(name: "RedisServer", path: "Tests/RedisServer", swiftSettings: settings),
        .testTarget(
            name: "DirectoryTests",
            dependencies: [
                "ControlAPI",
                "EdgeDirectory",
                "EdgeInbox",
                "EdgeTunnels",
                "Mux",
                "Protocol",
                "RESP",
                "Redis",
                "RedisServer",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "InboxTests",
            dependencies: [
                "ControlAPI",
                "EdgeInbox",
                "InboxFile",
                "InboxRedis",
                "Redis",
                "RedisServer",
                crypto,
                database,
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "InspectionTests",
            dependencies: [
                "ControlAPI",
                "Inspection",
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            exclude: ["Cases"],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ConnectorCoreTests",
            dependencies: [
                "ConnectorCore",
                "ControlAPI",
                "Inspection",
                "Mux",
                "Program",
                "Protocol",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "ConnectorTests",
            dependencies: [
                "Connector",
                "ConnectorCore",
                "ControlAPI",
                "Inspection",
                "Program",
                "Protocol",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "PolicyTests",
            dependencies: [
                "Connector",
                "ConnectorCore",
                "ControlAPI",
                "Edge",
                "EdgeControl",
                "JSONText",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "RedisServer",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            exclude: ["Peers", "Screens"],
            swiftSettings: settings
        ),
    ]
)

// Built beside the programs, from the same modules: what they are made of is not compiled once more to be measured.
if Context.environment["CULVERT_BENCHMARKS"] == "1" {
    package.targets += [
        .target(name: "AllocationCounter", path: "Benchmarks/Sources/AllocationCounter"),
        .executableTarget(
            name: "MuxBenchmarks",
            dependencies: [
                "AllocationCounter",
                "Mux",
                "Protocol",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Benchmarks/Sources/MuxBenchmarks",
            swiftSettings: settings
        ),
    ]
}
