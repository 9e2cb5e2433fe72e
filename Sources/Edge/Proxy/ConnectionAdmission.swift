// SPDX-License-Identifier: Apache-2.0
import EdgeTunnels
import NIOCore
import Synchronization

/// Decides which connections a listener takes: bounds them all and those of one address, and keeps a share in which
/// nobody but connectors and the control API is served.
///
/// Whoever finds no visitor's place gets one of the kept ones, where connections give way to newer ones: idle visitors
/// can fill all that is there, and a connector that asks at once is still heard. A connector's connection, once it is
/// upgraded, keeps its place. Every member may be used from any thread.
package final class ConnectionAdmission: Sendable {
    fileprivate enum Standing {
        case visitor
        case kept(ArrivalSlots<any Channel>.Place)
        case connector
        case left
    }

    fileprivate struct State {
        var visitors = 0
        var connectors = 0
        var addresses: [CallerAddress: Int] = [:]
        var kept = ArrivalSlots<any Channel>()
        var line = ArrivalSlots<any Channel>.Line()
        var others: Int { self.visitors + self.connectors }
    }

    private let limit: Int
    private let perAddress: Int
    private let share: Int
    private let proxies: [AddressRange]
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: The most connections.
    ///   - share: How many of those are kept for connectors and the API; `nil` for a tenth.
    ///   - perAddress: The most connections of one address.
    ///   - proxies: The networks of which that bound is not asked, since many visitors come from there.
    package init(limit: Int, share: Int? = nil, perAddress: Int, proxies: [AddressRange] = []) {
        self.limit = limit
        self.share = share ?? (limit > 1 ? max(1, limit / 10) : 0)
        self.perAddress = perAddress
        self.proxies = proxies
    }

    /// Takes a connection, if there is a place.
    ///
    /// - Returns: Its place, which has to be left.
    package func enter(_ channel: any Channel) -> ConnectionPlace? {
        self.enter(channel, from: IPAddress(channel.remoteAddress))
    }

    /// Takes a connection from an address, if there is a place.
    func enter(_ channel: any Channel, from address: IPAddress?) -> ConnectionPlace? {
        let isProxy = address.map { address in self.proxies.contains { $0.contains(address) } } ?? false
        let address = isProxy ? nil : CallerAddress(address)
        let (standing, overdue) = self.state.withLock { state -> (Standing?, (any Channel)?) in
            if self.addVisitor(address, &state) { return (.visitor, nil) }
            // A few are kept even where connectors have taken up the share.
            let room = max(min(self.share, self.limit - state.others), min(self.share, 16))
            var overdue: (any Channel)?
            if state.line.count >= room {
                guard let oldest = state.kept.first(of: state.line) else { return (nil, nil) }
                overdue = state.kept.remove(oldest, from: &state.line)
            }
            let (slot, _) = state.kept.append(to: &state.line) { _ in channel }
            return (.kept(slot), overdue)
        }
        overdue?.close(promise: nil)
        return standing.map { ConnectionPlace(self, address, $0) }
    }

    private func addVisitor(_ address: CallerAddress?, _ state: inout State) -> Bool {
        guard state.others < self.limit - self.share else { return false }
        if let address {
            let count = state.addresses[address, default: 0]
            guard count < self.perAddress else { return false }
            state.addresses[address] = count + 1
        }
        state.visitors += 1
        return true
    }

    /// Takes somebody out of where it stands.
    private func remove(_ standing: Standing, _ address: CallerAddress?, _ state: inout State) {
        switch standing {
        case .visitor:
            state.visitors -= 1
            guard let address, let count = state.addresses[address] else { return }
            state.addresses[address] = count > 1 ? count - 1 : nil
        case .kept(let slot): state.kept.remove(slot, from: &state.line)
        case .connector: state.connectors -= 1
        case .left: break
        }
    }

    /// Whether somebody in a kept place finds a visitor's place now.
    fileprivate func promote(_ standing: inout Standing, _ address: CallerAddress?) -> Bool {
        self.state.withLock { state in
            guard self.addVisitor(address, &state) else { return false }
            self.remove(standing, address, &state)
            standing = .visitor
            return true
        }
    }

    fileprivate func move(_ standing: inout Standing, _ address: CallerAddress?, to next: Standing) {
        self.state.withLock { state in
            self.remove(standing, address, &state)
            if case .connector = next { state.connectors += 1 }
        }
        standing = next
    }

    /// How many there are: visitors, those in kept places, and connectors.
    var counts: (visitors: Int, kept: Int, connectors: Int) {
        self.state.withLock { ($0.visitors, $0.line.count, $0.connectors) }
    }
}

/// A connection's place among those of a listener; every member may be used from any thread.
package final class ConnectionPlace: Sendable {
    private let admission: ConnectionAdmission
    private let address: CallerAddress?
    private let standing: Mutex<ConnectionAdmission.Standing>

    fileprivate init(
        _ admission: ConnectionAdmission,
        _ address: CallerAddress?,
        _ standing: ConnectionAdmission.Standing
    ) {
        self.admission = admission
        self.address = address
        self.standing = Mutex(standing)
    }

    /// Whether a visitor's request is served here; one in a kept place looks for another one first.
    func mayVisit() -> Bool {
        self.standing.withLock { standing in
            switch standing {
            case .visitor: true
            case .kept: self.admission.promote(&standing, self.address)
            case .connector, .left: false
            }
        }
    }

    /// The connection is a connector's from here on.
    func becomesConnector() {
        self.move(to: .connector)
    }

    /// The connection is over.
    package func leave() {
        self.move(to: .left)
    }

    private func move(to next: ConnectionAdmission.Standing) {
        self.standing.withLock { standing in
            if case .left = standing { return }
            self.admission.move(&standing, self.address, to: next)
        }
    }
}
