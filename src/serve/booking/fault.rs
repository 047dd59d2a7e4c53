//! Faults: why a row of the site's statement is no answer. Each is a label of the metrics and a sentence for the log; neither repeats a value.

/// What is wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The statement gave no row.
    NoRow,
    /// `status_code` is missing or no number.
    NoCode,
    /// `status_code` is none of the document's codes.
    UnknownCode,
    /// A booking without `book_ext_id`.
    NoBooking,
    /// A booking whose `book_ext_id` the mart cannot store.
    BookingNoGuid,
    /// A cancellation of another booking than the one that was asked for.
    OtherBooking,
    /// A booking of another slot than the one that was asked for.
    OtherSlot,
    /// A booking without `visit_time`.
    NoVisitTime,
    /// A booking without `duration`.
    NoDuration,
    /// A cancellation whose slot, time or duration nothing could fill in. The only fault that is answered all the same.
    Incomplete,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 10] = [
        Fault::NoRow,
        Fault::NoCode,
        Fault::UnknownCode,
        Fault::NoBooking,
        Fault::BookingNoGuid,
        Fault::OtherBooking,
        Fault::OtherSlot,
        Fault::NoVisitTime,
        Fault::NoDuration,
        Fault::Incomplete,
    ];

    /// Its label in metrics.
    pub fn label(self) -> &'static str {
        match self {
            Fault::NoRow => "no_row",
            Fault::NoCode => "no_code",
            Fault::UnknownCode => "unknown_code",
            Fault::NoBooking => "no_book_ext_id",
            Fault::BookingNoGuid => "book_ext_id_no_guid",
            Fault::OtherBooking => "other_book_ext_id",
            Fault::OtherSlot => "other_slot_id",
            Fault::NoVisitTime => "no_visit_time",
            Fault::NoDuration => "no_duration",
            Fault::Incomplete => "incomplete",
        }
    }

    /// The sentence's second half, beginning with a colon and a blank.
    pub fn text(self) -> &'static str {
        match self {
            Fault::NoRow => ": the statement gives no row",
            Fault::NoCode => ": status_code is no number",
            Fault::UnknownCode => ": status_code is none of the document's codes",
            Fault::NoBooking => ": book_ext_id is missing",
            Fault::BookingNoGuid => ": book_ext_id is no GUID, and the mart stores nothing else as the id of a booking",
            Fault::OtherBooking => ": book_ext_id is not the booking that was to be cancelled",
            Fault::OtherSlot => ": slot_id is not the slot that was asked for",
            Fault::NoVisitTime => ": visit_time is missing or no time",
            Fault::NoDuration => ": duration is missing or no minutes",
            Fault::Incomplete => ": slot_id, visit_time or duration is missing",
        }
    }
}
