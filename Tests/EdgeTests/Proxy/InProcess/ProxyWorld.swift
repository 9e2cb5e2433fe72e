// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import Foundation
import HTTP1
import HTTPTypes
import Mux
import NIOConcurrencyHelpers
import NIOCore
import NIOEmbedded
import Protocol
import Testing

@testable import EdgeProxy
@testable import EdgeTunnels

/// The edge's proxy between visitors and connectors on one event loop whose time a test moves; nothing leaves the process.
final class ProxyWorld {
    /// Where visitors believe to be, and the name of the local server.
    static let (host, domain, origin) = ("127.0.0.1:8989", "tunnels.test", "localhost:3000")
    static let tunnelID = "my-tunnel"

    /// Where sessions live, and mostly visitors, too.
    let loop = EmbeddedEventLoop()
    /// Where visitors may live so that bytes cross from loop to loop.
    let otherLoop = EmbeddedEventLoop()
    let tunnel: Tunnel
    let services: ProxyServices
    let recorder = Recorder()
    private var joints: [Joint] = []
    private var lastID: UInt64 = 0

    /// The two ends of one session.
    final class Joint {
        let edge: EmbeddedChannel
        let connector: EmbeddedChannel
        let connectorSession: SessionHandler
        fileprivate(set) var session: TunnelSession?

        fileprivate init(edge: EmbeddedChannel, connector: EmbeddedChannel, connectorSession: SessionHandler) {
            self.edge = edge
            self.connector = connector
            self.connectorSession = connectorSession
        }
    }

    /// Remembers what was told of requests.
    final class Recorder: ExchangeRecorder {
        private let state = NIOLockedValueBox((started: 0, retried: 0, entries: [AccessLogEntry]()))

        var startedCount: Int { self.state.withLockedValue { $0.started } }
        var retriedCount: Int { self.state.withLockedValue { $0.retried } }
        var entries: [AccessLogEntry] { self.state.withLockedValue { $0.entries } }

        func started() { self.state.withLockedValue { $0.started += 1 } }
        func retried() { self.state.withLockedValue { $0.retried += 1 } }
        func finished(_ entry: AccessLogEntry) { self.state.withLockedValue { $0.entries.append(entry) } }
    }

    /// Finds nothing, and gives nothing up.
    private struct PatientSeeker: SessionSeeker {
        func seek(_ tunnel: Tunnel) {}
        func tell(_ isSuspect: Bool, of tunnel: Tunnel) {}
    }

    init(
        policy: TunnelPolicy = TunnelPolicy { $0.host = .rewrite(ProxyWorld.origin) },
        settings: ProxySettings = ProxySettings(),
        trustedProxies: [AddressRange] = [],
        datesResponses: Bool = false,
        looksFurther: Bool = false,
        observer: @escaping @Sendable (RequestID) -> (any ExchangeObserver)? = { _ in nil }
    ) throws {
        let id = try #require(TunnelID(Self.tunnelID))
        self.tunnel = Tunnel(
            TunnelSpecification(id: id, owner: "alice", policy: policy, createdAt: Date()),
            seeker: looksFurther ? PatientSeeker() : nil
        )
        self.services = ProxyServices(
            settings: settings,
            router: PublicRouter(wildcardDomain: Self.domain),
            trust: VisitorTrust(trustedProxies: trustedProxies, clientIPHeader: nil, isTLS: false),
            registry: OneTunnel(only: self.tunnel, looksFurther: looksFurther),
            controlPlane: NoControlPlane(),
            connectEndpoint: NoControlPlane(),
            recorder: self.recorder,
            observe: observer,
            recentTunnels: RecentTunnelsKeys(secrets: [Array(repeating: 1, count: 32)]),
            now: { 1_000 },
            datesResponses: datesResponses
        )
    }

    /// Connects a connector.
    ///
    /// - Parameters:
    ///   - slot: Which connection of which connector it is; `nil` for the only one of its own.
    ///   - accept: What it does with the streams that the edge opens.
    @discardableResult
    func addConnector(slot: BundleSlot? = nil, _ accept: @escaping (StreamChannel) -> Void) throws -> Joint {
        let edgeSession = SessionHandler(configuration: SessionConfiguration(role: .edge))
        let connectorSession = SessionHandler(
            configuration: SessionConfiguration(role: .connector),
            acceptStream: accept
        )
        let joint = Joint(
            edge: EmbeddedChannel(handler: edgeSession, loop: self.loop),
            connector: EmbeddedChannel(handler: connectorSession, loop: self.loop),
            connectorSession: connectorSession
        )
        self.joints.append(joint)
        let address = try SocketAddress(ipAddress: "127.0.0.1", port: 1)
        for end in [joint.edge, joint.connector] { try end.connect(to: address).wait() }
        self.settle()
        self.lastID += 1
        let session = TunnelSession(
            over: ConnectorSession(id: self.lastID, handler: edgeSession, eventLoop: self.loop),
            remoteAddress: nil,
            implementation: nil,
            connectedAt: Date(),
            tokenIssuedAt: 0
        )
        joint.session = session
        _ = self.tunnel.join(session, slot: slot)
        // A newcomer makes those before it suspect; here each of them is known to be there.
        for joint in self.joints {
            if let session = joint.session { self.tunnel.setAvailability(.ready, of: session) }
        }
        return joint
    }

    /// Connects a visitor.
    func visit(from address: String = "127.0.0.1", on loop: EmbeddedEventLoop? = nil) throws -> VisitorEnd {
        try VisitorEnd(VisitorConnection(services: self.services), from: address, on: loop ?? self.loop)
    }

    /// Who would answer a request, which is not begun: whoever works on other threads may not come back to this loop.
    func responder(to head: String) throws -> any Responder {
        var (parser, bytes) = (HeadParser(), ByteBuffer(string: head))
        let head = try #require(try parser.request(&bytes))
        let request = IncomingRequest(
            head,
            services: self.services,
            eventLoop: self.loop,
            remoteAddress: try SocketAddress(ipAddress: "127.0.0.1", port: 1),
            peer: IPAddress("127.0.0.1")
        )
        return RequestDispatch(head: head, request: request).responder
    }

    /// Carries bytes between the ends of the sessions until none are left.
    func settle() {
        var hasMoved = true
        while hasMoved {
            // What one loop is given by the other, and the other way round again.
            for _ in 0..<4 {
                self.loop.run()
                self.otherLoop.run()
            }
            hasMoved = false
            for joint in self.joints {
                for (from, to) in [(joint.edge, joint.connector), (joint.connector, joint.edge)] {
                    while let bytes = try? from.readOutbound(as: ByteBuffer.self) {
                        hasMoved = true
                        if to.isActive { _ = try? to.writeInbound(bytes) }
                    }
                }
            }
        }
    }

    func advance(by time: TimeAmount) {
        self.loop.advanceTime(by: time)
        self.otherLoop.advanceTime(by: time)
        self.settle()
    }
}

/// A registry that holds one tunnel.
private struct OneTunnel: TunnelRegistry {
    let only: Tunnel
    /// Whether other edges might know more tunnels.
    var looksFurther = false

    func tunnel(_ id: TunnelID) -> Tunnel? { self.only.id == id ? self.only : nil }
    func create(_ specification: TunnelSpecification) async throws -> Tunnel { self.only }
    func restore(
        _ specification: TunnelSpecification,
        issuedAt: Double,
        provided isValid: () -> Bool
    ) async throws -> Tunnel {
        self.only
    }
    func list(owner: String?, after cursor: TunnelID?, limit: Int) async -> TunnelPage { TunnelPage([self.only]) }
    func remove(_ id: TunnelID, keepingNameFor lease: TimeAmount) async -> Tunnel? { nil }
}

/// What requests through tunnels never meet.
private struct NoControlPlane: ControlPlane, ConnectEndpoint {
    let maximumBodyLength = 0

    func respond(
        to request: HTTPRequest,
        body: ByteBuffer,
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> (HTTPResponse, ByteBuffer) {
        (HTTPResponse(status: .notFound), ByteBuffer())
    }

    func decide(
        method: HTTPRequest.Method,
        tunnelID: String,
        fields: [(name: String, value: String)],
        remoteAddress: SocketAddress?,
        requestID: RequestID
    ) async -> ConnectDecision {
        .refuse(HTTPResponse(status: .notFound), ByteBuffer())
    }
}
