use super::*;

fn polled(follow: &mut Follow) -> Vec<u64> {
    let mut numbers = Vec::new();
    follow
        .poll(|entry| numbers.push(number_of(&entry)))
        .unwrap();
    numbers
}

#[test]
fn entries_come_once_each_and_in_order_over_the_ends_of_segments() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    store.append(&[numbered(1)]).unwrap();
    let mut follow = Follow::new(folder.path(), everything()).unwrap();
    assert_eq!(polled(&mut follow), [0; 0]);
    let mut expected = Vec::new();
    let mut seen = Vec::new();
    for number in 2..400 {
        store.append(&[numbered(number)]).unwrap();
        expected.push(number);
        if number % 150 == 0 {
            seen.extend(polled(&mut follow));
        }
    }
    seen.extend(polled(&mut follow));
    assert_eq!(seen, expected);
    assert_eq!(polled(&mut follow), [0; 0]);
}

#[test]
fn from_a_time_on_the_past_comes_first_and_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    let at = |number: u64, at| Entry {
        at,
        ..numbered(number)
    };
    let begin = now();
    for number in 0..400 {
        store
            .append(&[at(number, begin + number as i64 * SECOND)])
            .unwrap();
    }
    let query = Query {
        since: Some(begin + 10 * SECOND),
        ..everything()
    };
    let mut follow = Follow::new(folder.path(), query).unwrap();
    assert_eq!(polled(&mut follow), (10..400).collect::<Vec<_>>());
    store.append(&[at(400, begin + 400 * SECOND)]).unwrap();
    assert_eq!(polled(&mut follow), [400]);
}

#[test]
fn an_empty_store_is_followed_until_something_comes() {
    let folder = tempfile::tempdir().unwrap();
    let mut follow = Follow::new(folder.path(), everything()).unwrap();
    assert_eq!(polled(&mut follow), [0; 0]);
    let (mut store, _) = Store::open(folder.path(), LIMITS).unwrap();
    store.append(&[numbered(1)]).unwrap();
    assert_eq!(polled(&mut follow), [1]);
}
