//! What a question was answered with, for rules that ask for it.

use super::*;

fn titles(lookups: &Lookups) -> Vec<String> {
    let outcome = play(&lookups.stage);
    assert!(outcome.report.repeats.is_empty(), "counted twice");
    outcome.titles().into_iter().map(str::to_owned).collect()
}

#[test]
fn a_rule_on_results_is_asked_when_the_answer_comes_and_others_only_once() {
    let mut lookups = Lookups::new();
    let question = lookups.ask(lookups.root, "www.asked.example");
    assert_eq!(titles(&lookups), ["A Name Is Asked For"]);
    let mut told = answer(&question, &[("real.example", "198.51.100.9")]);
    told.message.answers.insert(
        0,
        DnsAnswer {
            name: "www.asked.example".into(),
            ttl: 60,
            data: DnsData::Alias("Real.Example.".into()),
        },
    );
    lookups.message(lookups.root, told.clone());
    let expected = ["A Name Is Asked For", "A Name Is Told To Be This Address"];
    assert_eq!(titles(&lookups), expected);
    let outcome = play(&lookups.stage);
    let fields = &outcome.alerts[1].evidence.fields;
    assert_eq!(fields["QueryResults"], ";real.example;198.51.100.9;");
    assert_eq!(fields["QueryName"], "www.asked.example");
    assert_eq!(fields["QueryType"], "A");
    // The same again answers nothing any more.
    lookups.message(lookups.root, told);
    assert_eq!(titles(&lookups), expected);
}

#[test]
fn what_nobody_asked_and_what_tells_no_address_is_no_result() {
    let mut lookups = Lookups::new();
    let question = lookups.ask(lookups.root, "www.example");
    let mut forged = answer(&question, &[("www.example", "198.51.100.9")]);
    forged.message.id += 1;
    lookups.message(lookups.root, forged);
    let mut none = answer(&question, &[]);
    none.message.code = 3;
    lookups.message(lookups.root, none);
    assert!(titles(&lookups).is_empty());
}
