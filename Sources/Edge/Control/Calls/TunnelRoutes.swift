// SPDX-License-Identifier: Apache-2.0

import ControlAPI
import EdgeInbox
import EdgeTunnels
import HTTPTypes
import Hummingbird
import JSONText
import NIOCore

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The calls that manage tunnels.
struct TunnelRoutes: Sendable {
    let registry: any TunnelRegistry
    let tokens: TunnelTokens
    let limits: APILimits
    let liveSettings: LiveSettings
    let policySchema: PolicySchema
    let ports: any PortKeeper
    let inboxes: InboxDesk?
    let now: @Sendable () -> Date

    /// Adds the calls to a group, which has to authenticate the caller.
    func add(to group: RouterGroup<ControlContext>) {
        group.post("create", use: self.create)
        group.get("list", use: self.list)
        group.get("{id}/status", use: self.status)
        group.post("{id}/token", use: self.replaceTokens)
        group.delete("{id}", use: self.delete)
    }

    private var settings: ControlSettings { self.liveSettings.current }

    // MARK: Calls

    @Sendable
    private func create(_ request: Request, _ context: ControlContext) async throws -> Response {
        let principal = try context.requirePrincipal()
        let members = JSONMembers.createTunnel(self.settings.bounded(self.policySchema))
        let call = try await JSONBody.decode(CreateTunnelRequest.self, members: members, from: request)
        var policy = call.policy ?? TunnelPolicy()
        let kind = call.kind ?? .http
        let isPrivate = call.isPublic == false
        try self.check(call, policy, kind: kind)
        if kind == .http { policy.host = policy.host.resolved(localPort: call.localPort) }
        let id = try self.id(named: call.name)
        context.audit.note(tunnelID: id.description)

        // A tunnel that is taken up again is not a new one: connectors do that at each start.
        let own = try await self.find(id).flatMap { $0.owner == principal.owner ? $0 : nil }
        let isOwn = own != nil
        let removed = own?.policy.protection(removedBy: policy) ?? []
        if let own, own.form.kind != kind || own.form.isPrivate != isPrivate {
            throw Problem.kindDiffers(id.description, own.form.kind, isPrivate: own.form.isPrivate)
        }
        if let place = call.servedFrom, call.pool != true, let other = own?.connector(servingElsewhereThan: place) {
            throw Problem.servedElsewhere(id.description, by: other)
        }
        if !isOwn || !policy.basicAuth.isEmpty {
            let decision = await self.limits.decide(.creations, by: principal.name)
            guard decision.isAllowed else { throw Problem.rateLimited(decision, by: .creations) }
        }

        // Slow on purpose, and so behind the limit.
        policy.basicAuth = try await PasswordHashing.shared.hashed(policy.basicAuth, owner: principal.name)
        var specification = TunnelSpecification(
            id: id,
            name: call.name,
            owner: principal.owner,
            policy: policy,
            form: TunnelForm(kind: kind, isPrivate: isPrivate),
            createdAt: self.now()
        )
        try await self.checkToken(of: specification, servedFrom: call.servedFrom)
        do {
            let tunnel = try await self.registry.create(specification)
            do {
                try await self.openPort(call.port, of: tunnel)
                // The directory is to know the port, too.
                if kind == .tcp, self.registry.looksFurther { try await self.change(tunnel, to: policy) }
            } catch {
                // No token of it has been issued, so that none has to end.
                let none = TokenCutoffs.Cutoff(issuedUntil: 0, endAt: 0)
                _ = try? await self.registry.delete(tunnel, ending: none)
                _ = await self.registry.remove(tunnel.id, keepingNameFor: .zero)
                for session in tunnel.close(isDeleted: true) { session.revoke() }
                throw error
            }
            specification = tunnel.specification
        } catch TunnelRegistryError.nameTaken {
            // Asking again for one's own name takes the tunnel up again, with the new policy: `culvert http --name`
            // has to work twice in a row.
            guard let tunnel = try await self.find(id), tunnel.owner == principal.owner else {
                throw Problem.nameTaken(id.description)
            }
            try await self.openPort(call.port, of: tunnel)
            try await self.change(tunnel, to: policy)
            specification = tunnel.specification
        } catch TunnelRegistryError.tooManyTunnels(let limit) {
            throw Problem.tooManyTunnels(limit: limit)
        } catch TunnelRegistryError.unavailable {
            throw Problem.registryUnavailable
        }
        let (token, claims) = try await self.issue(for: specification, servedFrom: call.servedFrom)
        return try JSONBody.response(
            .created,
            CreateTunnelResponse(
                tunnelID: id.description,
                name: call.name,
                kind: specification.form.kind,
                url: self.settings.url(of: id, specification.form),
                urls: self.settings.urls(of: id, specification.form),
                token: token,
                expiresAt: Date(timeIntervalSince1970: claims.exp),
                policyRemoved: removed.isEmpty ? nil : removed
            )
        )
    }

    @Sendable
    private func list(_ request: Request, _ context: ControlContext) async throws -> Response {
        let principal = try context.requirePrincipal()
        let limit = try self.limit(of: request)
        var cursor: TunnelID?
        if let text = try self.parameter("cursor", of: request) {
            guard let id = TunnelID(text) else {
                throw Problem.invalidParameter(field: "cursor", detail: "cursor has to be what next_cursor said.")
            }
            cursor = id
        }
        let owner = principal.role == .admin ? nil : principal.owner
        // One more than asked for tells whether there is another page.
        let found = await self.registry.list(owner: owner, after: cursor, limit: limit + 1)
        let page = found.tunnels.prefix(limit)
        return try JSONBody.response(
            .ok,
            TunnelList(
                tunnels: page.map { tunnel in
                    tunnel.status(
                        urls: self.settings.urls(of: tunnel.id, tunnel.form),
                        elsewhere: found.elsewhere[tunnel.id] ?? []
                    )
                },
                nextCursor: found.tunnels.count > limit ? page.last?.id.description : nil,
                partial: found.isPartial ? true : nil
            )
        )
    }

    @Sendable
    private func status(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await self.tunnel(context)
        let elsewhere = await self.registry.lookAround(for: tunnel)
        let urls = self.settings.urls(of: tunnel.id, tunnel.form)
        return try JSONBody.response(.ok, tunnel.status(urls: urls, elsewhere: elsewhere))
    }

    @Sendable
    private func replaceTokens(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await self.tunnel(context)
        let endAt = self.now().addingTimeInterval(self.settings.tokenOverlap)
        let cutoff = self.tokens.cutoff(of: tunnel, endingAt: endAt)
        try await self.asking { try await self.registry.end(cutoff, of: tunnel) }
        self.tokens.end(cutoff, of: tunnel.id)
        for session in tunnel.sessions where session.tokenIssuedAt <= cutoff.issuedUntil {
            session.limitLifetime(to: endAt)
        }
        let (token, claims) = try await self.issue(for: tunnel.specification)
        return try JSONBody.response(
            .created,
            TunnelTokenResponse(
                tunnelID: tunnel.id.description,
                token: token,
                expiresAt: Date(timeIntervalSince1970: claims.exp),
                previousEndAt: endAt
            )
        )
    }

    @Sendable
    private func delete(_ request: Request, _ context: ControlContext) async throws -> Response {
        let tunnel = try await self.tunnel(context)
        // What is refused is refused whole: nobody is told that a tunnel is gone whose token may open it again.
        let cutoff = self.tokens.cutoff(of: tunnel)
        // One that follows another one of its name is later than the end of that one's tokens.
        let isUnchanged =
            tunnel.version
            <= max(
                tunnel.specification.createdAt.timeIntervalSince1970,
                self.tokens.knownEnds(of: tunnel.id).issuedUntil?.nextUp ?? 0
            )
        try await InboxRoutes(tunnels: self, desk: self.inboxes).remove(tunnel)
        let wasThere = try await self.asking { try await self.registry.delete(tunnel, ending: cutoff) }
        // Then the tokens, so that no connector that was on its way can make the tunnel again.
        self.tokens.end(cutoff, of: tunnel.id)
        self.tokens.endAccess(to: tunnel.id, issuedUntil: cutoff.issuedUntil)
        _ = await self.registry.remove(tunnel.id, keepingNameFor: .zero)
        for session in tunnel.close(isDeleted: true) { session.revoke() }
        await self.ports.close(tunnel.id, keepingPortFor: .zero)
        // The limit is for tunnels that stay, and for passwords that are hashed: whoever starts and stops a connector all
        // afternoon meets it no sooner.
        if wasThere, isUnchanged, tunnel.policy.basicAuth.isEmpty {
            await self.limits.giveBackCreation(of: try context.requirePrincipal().name)
        }
        return Response(status: .noContent)
    }

    // MARK: Parts

    /// Refuses what has no meaning for the kind of tunnel that is asked for.
    private func check(_ call: CreateTunnelRequest, _ policy: TunnelPolicy, kind: TunnelKind) throws {
        if kind == .tls, call.isPublic != false, self.settings.tlsPort == nil { throw Problem.kindNotServed(.tls) }
        if call.port != nil, kind != .tcp || call.isPublic == false {
            let detail = "port is for public tunnels of kind tcp."
            throw Problem.invalidBody(field: "port", detail: detail)
        }
        if let member = self.policySchema.stranger(in: policy, for: kind) {
            throw Problem.invalidBody(
                field: "policy.\(member.name)",
                detail: "policy.\(member.name) has no meaning for tunnels of kind \(kind)."
            )
        }
    }

    /// Has the edge listen for a tunnel of TCP.
    private func openPort(_ wish: UInt16?, of tunnel: Tunnel) async throws {
        let form = tunnel.form
        guard form.hasPort else { return }
        do {
            tunnel.listens(on: try await self.ports.open(wish, for: tunnel, isReturning: false))
        } catch {
            throw Problem(error)
        }
    }

    private func id(named name: String?) throws -> TunnelID {
        guard let name else {
            var generator = SystemRandomNumberGenerator()
            return TunnelID.random(using: &generator)
        }
        guard let id = TunnelID(name) else {
            throw Problem.invalidBody(field: "name", detail: "name has to be 3 to 63 of a-z, 0-9 and -.")
        }
        guard !self.settings.reservedNames.contains(name) else { throw Problem.nameReserved(name) }
        return id
    }

    /// Signs a token of a tunnel.
    ///
    /// - Parameter servedFrom: The place that the tunnel is served from with it.
    func issue(
        for specification: TunnelSpecification,
        servedFrom: String? = nil
    ) async throws -> (String, TunnelTokenClaims) {
        try await self.tokens.issue(
            for: specification,
            edge: self.settings.apiURL,
            url: self.settings.url(of: specification.id, specification.form),
            servedFrom: servedFrom,
            lifetime: self.settings.tokenLifetime
        )
    }

    /// Refuses a policy that makes the tunnel's token longer than connectors can send it.
    private func checkToken(of specification: TunnelSpecification, servedFrom: String?) async throws {
        let (token, _) = try await self.issue(for: specification, servedFrom: servedFrom)
        guard token.utf8.count <= TunnelTokens.maximumLength else {
            throw Problem.invalidBody(
                field: "policy",
                detail:
                    "policy is too long for the tunnel's token, which has \(TunnelTokens.maximumLength / 1024) KiB at "
                    + "most: name fewer addresses or users."
            )
        }
    }

    /// How many elements a page is to have.
    func limit(of request: Request) throws -> Int {
        guard let text = try self.parameter("limit", of: request) else { return 50 }
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(text), (1...200).contains(number)
        else { throw Problem.invalidParameter(field: "limit", detail: "limit has to be a number from 1 to 200.") }
        return number
    }

    /// The value of a parameter of the query; `nil` if it is not there.
    func parameter(_ name: Substring, of request: Request) throws -> Substring? {
        let values = request.uri.queryParameters.filter { $0.key == name }.map(\.value)
        guard values.count <= 1 else {
            throw Problem.invalidParameter(field: String(name), detail: "\(name) is there twice.")
        }
        return values.first
    }

    /// The tunnel of that id, wherever it is known.
    private func find(_ id: TunnelID) async throws -> Tunnel? {
        try await self.asking { try await self.registry.find(id) }
    }

    private func change(_ tunnel: Tunnel, to policy: TunnelPolicy) async throws {
        do {
            try await self.asking {
                try await self.registry.change(tunnel, to: policy, at: self.now().timeIntervalSince1970)
            }
        } catch TunnelRegistryError.nameTaken {
            throw Problem.nameTaken(tunnel.id.description)
        }
    }

    func asking<Answer>(_ question: () async throws -> Answer) async throws -> Answer {
        do {
            return try await question()
        } catch TunnelRegistryError.unavailable {
            throw Problem.registryUnavailable
        }
    }

    /// The tunnel in the path, if the caller may know of it.
    func tunnel(_ context: ControlContext) async throws -> Tunnel {
        let principal = try context.requirePrincipal()
        guard let id = context.parameters.get("id").flatMap({ TunnelID($0) }) else {
            throw Problem.invalidParameter(field: "id", detail: "id has to be 3 to 63 of a-z, 0-9 and -.")
        }
        context.audit.note(tunnelID: id.description)
        guard let tunnel = try await self.find(id), principal.mayManage(tunnelsOf: tunnel.owner) else {
            throw Problem.tunnelNotFound(id)
        }
        return tunnel
    }
}
