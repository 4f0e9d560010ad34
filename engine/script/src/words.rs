//! Words of the script language as names: after a dot, and as keys of maps, every word is one.
//!
//! Labels, inputs and outputs are called `module`, `default` or `package` by people who never heard of Rhai.

use std::cell::RefCell;

use rhai::{LexError, Token};

thread_local! {
    static PLACE: RefCell<Place> = const { RefCell::new(Place { before: Before::Other, open: Vec::new() }) };
}

/// Where in a text the next word stands.
struct Place {
    before: Before,
    /// The brackets that are open; true for those of maps.
    open: Vec<bool>,
}

/// What stands before the next word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Dot,
    /// What a key of a map may follow.
    Key,
    /// A word that is a name here. Rhai took it for one of the language, behind which a sign belongs to the next value.
    Name,
    Other,
}

/// Forgets the text before: called before one is compiled, which stays on one thread.
pub(crate) fn begin() {
    PLACE.with_borrow_mut(|place| *place = Place { before: Before::Other, open: Vec::new() });
}

/// Called by Rhai for each token: gives the one that it is taken for.
pub(crate) fn token(token: Token) -> Token {
    PLACE.with_borrow_mut(|place| {
        let (token, is_name) = match (place.before, token) {
            (Before::Dot | Before::Key, token) => named(token),
            (Before::Name, Token::UnaryPlus) => (Token::Plus, false),
            (Before::Name, Token::UnaryMinus) => (Token::Minus, false),
            (_, token) => (token, false),
        };
        place.step(&token);
        if is_name {
            place.before = Before::Name;
        }
        token
    })
}

impl Place {
    fn step(&mut self, token: &Token) {
        match token {
            Token::MapStart => self.open.push(true),
            Token::LeftBrace | Token::LeftParen | Token::LeftBracket | Token::QuestionBracket => self.open.push(false),
            Token::RightBrace | Token::RightParen | Token::RightBracket => drop(self.open.pop()),
            _ => {}
        }
        self.before = match token {
            Token::Period | Token::Elvis => Before::Dot,
            Token::MapStart => Before::Key,
            Token::Comma if self.open.last() == Some(&true) => Before::Key,
            _ => Before::Other,
        };
    }
}

/// The name that a word of the language is here, and whether it is one; other tokens as they are.
fn named(token: Token) -> (Token, bool) {
    let word = match &token {
        Token::Reserved(word) => word.as_str(),
        // What is switched off for the whole engine arrives as an error.
        Token::LexError(error) => match error.as_ref() {
            LexError::ImproperSymbol(word, _) => word.as_str(),
            _ => return (token, false),
        },
        other if other.is_literal() => other.literal_syntax(),
        _ => return (token, false),
    };
    match crate::names::is_word(word) && word != "_" {
        true => (Token::Identifier(Box::new(word.into())), true),
        false => (token, false),
    }
}
