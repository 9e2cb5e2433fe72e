// SPDX-License-Identifier: Apache-2.0

import NIOCore
import Synchronization

/// Whoever has a request under way and can be asked to give its place to another; on its own event loop.
package protocol VisitorPlaceHolder: AnyObject {
    /// Ends the request that has this ticket, if it is still under way.
    func giveWay(_ ticket: VisitorTicket)
}

/// A request's entry in the table of its tunnel.
package struct VisitorTicket: Hashable, Sendable {
    fileprivate(set) var index: Int
    /// Of this request alone, since places in the table are used again.
    fileprivate(set) var serial: UInt64
}

/// What a tunnel knows of a visitor's connection: one request at a time, and when bytes last passed.
package final class VisitorPlace: Sendable {
    private let holder: NIOLoopBound<any VisitorPlaceHolder>
    private let usedAt = Atomic<UInt64>(0)

    /// Makes the place of a connection; on its event loop.
    package init(_ holder: any VisitorPlaceHolder, on eventLoop: any EventLoop) {
        self.holder = NIOLoopBound(holder, eventLoop: eventLoop)
    }

    /// Notes that bytes have passed, in either direction.
    package func used(now: NIODeadline) {
        self.usedAt.store(now.uptimeNanoseconds, ordering: .relaxed)
    }

    fileprivate var lastUse: UInt64 { self.usedAt.load(ordering: .relaxed) }

    /// Asks for the place, from any thread.
    func giveWay(_ ticket: VisitorTicket) {
        self.holder.eventLoop.execute { [holder] in holder.value.giveWay(ticket) }
    }
}

/// The requests of a tunnel's visitors that are under way, by address, so that no address takes what all share.
///
/// An address at its bound that asks again loses the request on which no byte has passed for the longest time, if that is
/// ``idleAfter`` ago: what is forgotten or meant to block goes, and what works stays.
struct VisitorPlaces: Sendable {
    /// How long no byte has passed on a request that gives way.
    static let idleAfter = TimeAmount.seconds(1)
    /// The requests that an address may have under way in a tunnel whose policy says nothing: half of what one connection
    /// of a connector carries.
    static let bound = 512

    /// Whether a request may begin.
    enum Entry {
        case entered(VisitorTicket)
        /// It may, and another one has to end.
        case inPlace(VisitorTicket, of: VisitorPlace, VisitorTicket)
        case full
    }

    private struct Slot {
        var place: VisitorPlace
        var address: CallerAddress
        var serial: UInt64
        /// The neighbours among the requests of the address.
        var older: Int?
        var newer: Int?
    }

    private struct Requests {
        var count = 0
        var newest: Int?
    }

    private var slots: [Slot?] = []
    private var free: [Int] = []
    private var addresses: [CallerAddress: Requests] = [:]
    private var lastSerial: UInt64 = 0

    /// The requests that are under way.
    var count: Int { self.slots.count - self.free.count }

    /// Begins a request.
    ///
    /// - Parameters:
    ///   - place: The visitor's connection.
    ///   - address: Where it comes from.
    ///   - bound: The most requests of the address.
    ///   - now: The time.
    mutating func enter(_ place: VisitorPlace, from address: CallerAddress, bound: Int, now: NIODeadline) -> Entry {
        place.used(now: now)
        guard let requests = self.addresses[address], requests.count >= bound else {
            return .entered(self.add(place, address))
        }
        guard let idle = self.longestIdle(requests, now: now), let slot = self.slots[idle] else { return .full }
        let ticket = VisitorTicket(index: idle, serial: slot.serial)
        self.leave(ticket)
        return .inPlace(self.add(place, address), of: slot.place, ticket)
    }

    /// Ends a request; one that has given way already changes nothing.
    mutating func leave(_ ticket: VisitorTicket) {
        guard let slot = self.slots[ticket.index], slot.serial == ticket.serial else { return }
        self.slots[ticket.index] = nil
        self.free.append(ticket.index)
        if let newer = slot.newer { self.slots[newer]?.older = slot.older }
        if let older = slot.older { self.slots[older]?.newer = slot.newer }
        guard var requests = self.addresses[slot.address] else { return }
        requests.count -= 1
        if requests.newest == ticket.index { requests.newest = slot.older }
        self.addresses[slot.address] = requests.count > 0 ? requests : nil
    }

    private mutating func add(_ place: VisitorPlace, _ address: CallerAddress) -> VisitorTicket {
        self.lastSerial += 1
        var requests = self.addresses[address] ?? Requests()
        let slot = Slot(place: place, address: address, serial: self.lastSerial, older: requests.newest, newer: nil)
        let index: Int
        if let unused = self.free.popLast() {
            index = unused
            self.slots[index] = slot
        } else {
            index = self.slots.count
            self.slots.append(slot)
        }
        if let older = requests.newest { self.slots[older]?.newer = index }
        requests.count += 1
        requests.newest = index
        self.addresses[address] = requests
        return VisitorTicket(index: index, serial: self.lastSerial)
    }

    private func longestIdle(_ requests: Requests, now: NIODeadline) -> Int? {
        var next = requests.newest
        var longest: (index: Int, lastUse: UInt64)?
        while let index = next, let slot = self.slots[index] {
            let lastUse = slot.place.lastUse
            if lastUse <= longest?.lastUse ?? .max { longest = (index, lastUse) }
            next = slot.older
        }
        guard let longest else { return nil }
        let idle = now.uptimeNanoseconds - min(longest.lastUse, now.uptimeNanoseconds)
        return idle >= UInt64(Self.idleAfter.nanoseconds) ? longest.index : nil
    }
}
