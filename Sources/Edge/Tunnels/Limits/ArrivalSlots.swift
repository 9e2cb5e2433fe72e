// SPDX-License-Identifier: Apache-2.0

/// Elements in the order of their arrival, in any number of lines; each can be taken out from anywhere.
///
/// One array holds the elements of all lines, so that a line of its own costs nothing, and no memory is asked for once
/// the array is as long as there were ever elements at a time. Every function takes a constant time.
package struct ArrivalSlots<Element: Sendable>: Sendable {
    /// Where an element stands; another element that gets its slot later has another place.
    package struct Place: Equatable, Sendable {
        fileprivate var index: Int
        fileprivate var generation: UInt64
    }

    /// One line: who came first, and who last.
    package struct Line: Sendable {
        fileprivate var first = -1
        fileprivate var last = -1
        /// How many stand in it.
        package fileprivate(set) var count = 0

        /// Makes a line without elements.
        package init() {}
    }

    private struct Slot {
        var element: Element?
        var previous = -1
        var next = -1
        var generation: UInt64 = 0
    }

    private var slots: [Slot] = []
    private var firstFree = -1

    /// Makes room for no element yet.
    package init() {}

    /// Adds an element at the end of a line.
    ///
    /// - Parameter make: Makes the element, which may want to know its place.
    /// - Returns: The place, and the element there.
    package mutating func append(to line: inout Line, _ make: (Place) -> Element) -> (Place, Element) {
        let index: Int
        if self.firstFree >= 0 {
            index = self.firstFree
            self.firstFree = self.slots[index].next
        } else {
            index = self.slots.count
            self.slots.append(Slot())
        }
        let place = Place(index: index, generation: self.slots[index].generation)
        let element = make(place)
        self.slots[index].element = element
        self.link(index, &line)
        return (place, element)
    }

    /// Takes an element out of the line that it stands in; `nil` if it is not there any more.
    @discardableResult
    package mutating func remove(_ place: Place, from line: inout Line) -> Element? {
        guard self.holds(place) else { return nil }
        self.unlink(place.index, &line)
        defer {
            self.slots[place.index].element = nil
            self.slots[place.index].generation += 1
            self.slots[place.index].next = self.firstFree
            self.firstFree = place.index
        }
        return self.slots[place.index].element
    }

    /// Puts an element behind all others of its line.
    package mutating func moveToEnd(_ place: Place, of line: inout Line) {
        guard self.holds(place) else { return }
        self.unlink(place.index, &line)
        self.link(place.index, &line)
    }

    /// Whether the element at a place is still there.
    package func holds(_ place: Place) -> Bool {
        self.slots.indices.contains(place.index) && self.slots[place.index].generation == place.generation
            && self.slots[place.index].element != nil
    }

    /// The element at a place, which has to be there.
    package subscript(place: Place) -> Element? {
        get { self.holds(place) ? self.slots[place.index].element : nil }
        set { if self.holds(place) { self.slots[place.index].element = newValue } }
    }

    /// The place of whoever has stood longest in a line.
    package func first(of line: Line) -> Place? {
        guard line.first >= 0 else { return nil }
        return Place(index: line.first, generation: self.slots[line.first].generation)
    }

    private mutating func link(_ index: Int, _ line: inout Line) {
        self.slots[index].previous = line.last
        self.slots[index].next = -1
        if line.last >= 0 { self.slots[line.last].next = index } else { line.first = index }
        line.last = index
        line.count += 1
    }

    private mutating func unlink(_ index: Int, _ line: inout Line) {
        let (previous, next) = (self.slots[index].previous, self.slots[index].next)
        if previous >= 0 { self.slots[previous].next = next } else { line.first = next }
        if next >= 0 { self.slots[next].previous = previous } else { line.last = previous }
        line.count -= 1
    }
}
