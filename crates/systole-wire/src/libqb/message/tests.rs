use super::*;

const MAX: usize = 400_000;

/// A request as a tool writes it: the same as an answer, but for the flags.
fn requests(form: Form, text: &str, max_datagram: usize) -> Vec<Vec<u8>> {
    Inbox { form: Some(form), parts: None }.write(Outgoing::Response(7), text, max_datagram).expect("it fits")
}

fn read(inbox: &mut Inbox, datagrams: &[Vec<u8>]) -> Result<Option<Message>, MessageError> {
    let mut last = None;
    for datagram in datagrams {
        assert_eq!(last, None, "before the last datagram");
        last = inbox.take(datagram)?;
    }
    Ok(last)
}

/// Text that does not become much shorter.
fn noise(length: usize) -> String {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b' ' + u8::try_from(state >> 24).unwrap_or(0) % 90)
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn what_is_written_is_read_again() {
    let limits = [MAX, 131_072, 4096, 100];
    for form in [Form::Compressing, Form::Parts] {
        for (text, max) in ["<a/>".to_owned(), "<b x='ü'/>".repeat(30_000), noise(700)]
            .iter()
            .flat_map(|text| limits.map(|max| (text, max)))
        {
            if form == Form::Compressing && (max < 1000 && text.len() > 50) {
                continue;
            }
            let datagrams = requests(form, text, max);
            assert!(datagrams.iter().all(|datagram| datagram.len() <= max), "{form:?} {max}");
            let mut inbox = Inbox::default();
            let message = read(&mut inbox, &datagrams).expect("a message").expect("whole");
            assert_eq!(message, Message { id: 7, flags: 0, text: text.clone() }, "{form:?} {max}");
            assert_eq!(inbox.form, Some(form));
        }
    }
}

#[test]
fn tools_that_take_parts_get_no_longer_ones_than_they_are_ready_for() {
    let text = noise(300_000);
    let lengths: Vec<usize> = requests(Form::Parts, &text, MAX).iter().map(Vec::len).collect();
    assert_eq!(lengths, [131_072, 131_072, 300_000 - 2 * 131_031 + 41]);
    assert_eq!(requests(Form::Compressing, &text, MAX).len(), 1);
}

#[test]
fn what_does_not_fit_is_said_to_be_too_long() {
    let inbox = Inbox { form: Some(Form::Compressing), parts: None };
    let answer = inbox.write(Outgoing::Event(1), &noise(100_000), 4096);
    assert_eq!(answer, Err(MessageError::AnswerTooLong(100_000)));
}

#[test]
fn events_are_told_from_responses() {
    for (form, at) in [(Form::Compressing, 32), (Form::Parts, 28)] {
        let inbox = Inbox { form: Some(form), parts: None };
        let event = inbox.write(Outgoing::Event(3), "<a/>", MAX).expect("it fits");
        assert_eq!(u32_at(&event[0], at), Some(1 << 16), "{form:?}");
    }
}

#[test]
fn what_contradicts_itself_is_refused() {
    let good = requests(Form::Compressing, "<a/>", MAX).remove(0);
    let changed = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        Inbox::default().take(&bytes)
    };
    assert_eq!(changed(8, 44), Err(MessageError::Lengths), "libqb's length");
    assert_eq!(changed(24, 4), Err(MessageError::Lengths), "Pacemaker's length");
    assert_eq!(changed(28, 5), Err(MessageError::Compression), "compressed, and is not");
    assert_eq!(changed(36, 2), Err(MessageError::Version));
    assert_eq!(changed(44, b'x'), Err(MessageError::Text), "not closed");
    for length in 0..good.len() {
        assert!(Inbox::default().take(&good[..length]).is_err(), "{length} bytes");
    }
    let goodbye = [(-3i32).to_ne_bytes().as_slice(), &[0; 12]].concat();
    assert_eq!(Inbox::default().take(&goodbye), Err(MessageError::Goodbye));
}

#[test]
fn parts_have_to_follow_each_other() {
    let parts = requests(Form::Parts, &noise(300), 150);
    assert_eq!(parts.len(), 3);
    let mut inbox = Inbox::default();
    assert_eq!(inbox.take(&parts[1]), Err(MessageError::Order), "not the first");
    for second in [&parts[0], &parts[2], &requests(Form::Parts, "<a/>", MAX)[0]] {
        let mut inbox = Inbox::default();
        assert_eq!(inbox.take(&parts[0]), Ok(None));
        assert_eq!(inbox.take(second), Err(MessageError::Order));
    }
}

#[test]
fn a_tool_cannot_fill_the_memory() {
    // A few bytes that become very many.
    let bomb = compress(&vec![b'x'; MAX_TEXT + 2]);
    for promised in [MAX_TEXT + 2, 1000] {
        let mut datagram = header(1, bomb.len());
        put(&mut datagram, 24, &to_u32(promised).to_ne_bytes());
        put(&mut datagram, 28, &to_u32(bomb.len()).to_ne_bytes());
        datagram[36] = VERSION;
        datagram.extend_from_slice(&bomb);
        let expected = if promised > MAX_TEXT { MessageError::TooLong } else { MessageError::Compression };
        assert_eq!(Inbox::default().take(&datagram), Err(expected));
    }
    let mut inbox = Inbox::default();
    let chunk = requests(Form::Parts, &noise(300_000), MAX).remove(0);
    let mut fates = (0..u16::MAX).map(|part| {
        let mut datagram = chunk.clone();
        put(&mut datagram, 34, &part.to_ne_bytes());
        inbox.take(&datagram)
    });
    assert_eq!(fates.find(|fate| fate.is_err()), Some(Err(MessageError::TooLong)));
}

#[test]
fn what_no_compression_makes_fit_is_not_even_compressed() {
    // It would fit: nothing is as easy to compress.
    let text = "0".repeat(450_000);
    let written = |max_datagram| Inbox::default().write(Outgoing::Event(1), &text, max_datagram);
    assert_eq!(written(4000), Err(MessageError::AnswerTooLong(text.len())));
    assert!(written(5000).is_ok());
}
