//! Every text that a page shows. `{}` stands for a name, such as the provider's.

macro_rules! words {
    ($($word:ident $name:literal $text:literal)*) => {
        /// A text of a page, by what it is for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[non_exhaustive]
        #[expect(missing_docs, reason = "the texts say it")]
        pub enum Word { $($word),* }

        impl Word {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$word),*];

            /// Its name in a policy.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$word => $name),* }
            }

            /// What it is in English.
            #[must_use]
            pub const fn english(self) -> &'static str {
                match self { $(Self::$word => $text),* }
            }
        }
    };
}

words! {
    LogIn "log_in" "Log in"
    ContinueWith "continue_with" "Continue with {}"
    Remember "remember" "Keep me logged in on this device"
    TheProvider "the_provider" "the login provider"
    TryAgain "try_again" "Try again"
    Leave "leave" "Go to the start page"
    Continue "continue" "Continue"
    MovingOn "moving_on" "You are logged in"
    Reference "reference" "For support: {}"

    LogOutAsked "log_out_asked" "Log out?"
    LogOut "log_out" "Log out"
    Everywhere "everywhere" "On all my devices"
    StayLoggedIn "stay_logged_in" "Stay logged in"
    LoggedOut "logged_out" "You are logged out"
    LoggedOutHere "logged_out_here" "On a shared computer, close the browser too."
    LogInAgain "log_in_again" "Log in again"

    Email "email" "Email"
    Password "password" "Password"
    NewPassword "new_password" "New password"
    AtLeastEight "at_least_eight" "At least 8 characters"
    WrongPassword "wrong_password" "Wrong email or password"
    TryLater "try_later" "Too many attempts. Please try again later."
    CodesOver "codes_over" "Too many wrong codes of the authenticator were tried. Use a recovery code, or set a new password."
    Required "required" "Required"
    InvalidEmail "invalid_email" "Invalid email"
    PasswordShort "password_short" "Use at least 8 characters"
    PasswordCommon "password_common" "This password is on lists that attackers try first"
    PasswordOfContext "password_of_context" "Use a password that is not your address or our name"
    PasswordUniform "password_uniform" "Use more than one character or a row of neighbours"
    ForgotPassword "forgot_password" "Forgot your password?"
    Register "register" "Create an account"
    HasAccount "has_account" "I have an account"
    SecondFactor "second_factor" "One more step"
    Code "code" "Code of your authenticator app"
    RecoveryCode "recovery_code" "Recovery code"
    UseRecoveryCode "use_recovery_code" "Use a recovery code"
    WrongCode "wrong_code" "Wrong code"
    ResetPassword "reset_password" "Reset your password"
    ResetRequired "reset_required" "Please set a new password first. A link to it comes by mail."
    SendLink "send_link" "Send me a link"
    LinkSent "link_sent" "Look into your mail"
    LinkSentText "link_sent_text" "If this address has an account, a link is on its way to it. It works once, and not for long."
    RegisteredText "registered_text" "A link is on its way to this address. Follow it to finish."
    ChoosePassword "choose_password" "Choose a new password"
    SavePassword "save_password" "Save the password"
    PasswordChanged "password_changed" "Your password is changed"
    PasswordChangedText "password_changed_text" "You are logged out on all devices. Log in with the new one."
    ConfirmAddress "confirm_address" "Confirm your address"
    Confirm "confirm" "Confirm"
    AddressConfirmed "address_confirmed" "Your address is confirmed"
    LogInByLink "log_in_by_link" "Log in by a link"
    LogInByPasskey "log_in_by_passkey" "Log in with a passkey"
    ContinueByPasskey "continue_by_passkey" "Continue with a passkey"
    PasskeyCancelled "passkey_cancelled" "It was cancelled, or this device has no passkey for this site."
    PasskeyFailed "passkey_failed" "That did not work. Please try again."
    PasskeyUnsupported "passkey_unsupported" "This browser cannot use passkeys, or its JavaScript is off."
    PasskeyRefused "passkey_refused" "This passkey lets nobody in here. Try again, or use another way."
    LogInForAccount "log_in_for_account" "Log in to see how you log in, or to change it."
    YourAccount "your_account" "Your account"
    BackToAccount "back_to_account" "Back to your account"
    ChangePassword "change_password" "Change the password"
    WrongOwnPassword "wrong_own_password" "Wrong password"
    OthersEnd "others_end" "You will be logged out everywhere else."
    OthersEnded "others_ended" "You are logged out everywhere else."
    Authenticator "authenticator" "Authenticator app"
    AuthenticatorOn "authenticator_on" "Each login asks for its code."
    AuthenticatorOff "authenticator_off" "None is set up."
    AuthenticatorText "authenticator_text" "You need an app that shows codes. Many password managers do."
    SetUp "set_up" "Set up"
    SetUpAnother "set_up_another" "Set up another"
    EnterKey "enter_key" "Enter this key in the app, or open it there. Then type the code that it shows."
    OpenApp "open_app" "Open in the app"
    Remove "remove" "Remove"
    RecoveryCodes "recovery_codes" "Recovery codes"
    CodesLeft "codes_left" "{} left"
    NewCodes "new_codes" "Make new ones"
    NewCodesText "new_codes_text" "Those from before will not work any more. You will be logged out everywhere else."
    KeepCodes "keep_codes" "Keep these codes"
    KeepCodesText "keep_codes_text" "Each lets you in once if your device is lost. They are shown only now."
    CodesKept "codes_kept" "I have kept them"
    Passkeys "passkeys" "Passkeys"
    AddPasskey "add_passkey" "Add a passkey"
    RemoveAuthenticator "remove_authenticator" "Remove the authenticator app"
    RemovePasskey "remove_passkey" "Remove the passkey"
    PasskeyName "passkey_name" "Name of the passkey"
    PasskeyNotMade "passkey_not_made" "No passkey was made: it was cancelled, or this device cannot keep one."
    PasskeyKnown "passkey_known" "This device has a passkey for this account already."
    LastUsed "last_used" "Last used {}"
    Sessions "sessions" "Where you are logged in"
    ThisDevice "this_device" "This device"
    EndOthers "end_others" "Log out everywhere else"
    FactorNeeded "factor_needed" "A second factor is needed"
    FactorNeededText "factor_needed_text" "This site wants one of everybody, and this account has none yet."
    NeedsScript "needs_script" "This page cannot read its link without JavaScript."
    AnotherBrowser "another_browser" "Open this link in the browser that asked for it"
    AnotherBrowserText "another_browser_text" "It logs nobody in anywhere else. You can ask for another one here."
    LinkOver "link_over" "This link does not work any more"
    LinkOverText "link_over_text" "It was used already, or is too old."

    NotAllowed "not_allowed" "No access"
    NotAllowedAccountAt "not_allowed_account_at" "You are logged in as {} at {}, but this account may not enter here."
    NotAllowedAccount "not_allowed_account" "You are logged in as {}, but this account may not enter here."
    NotAllowedSomebody "not_allowed_somebody" "You are logged in, but this account may not enter here."
    NotAllowedRemedy "not_allowed_remedy" "Choose another account, or ask whoever runs this site for access."
    OtherAccount "other_account" "Use another account"

    Cancelled "cancelled" "Login was cancelled"
    CancelledHappened "cancelled_happened" "{} did not confirm who you are: you cancelled, or you may not use it here."
    CancelledRemedy "cancelled_remedy" "Nothing was changed. You can try again."
    TookTooLong "took_too_long" "The login took too long"
    TookTooLongHappened "took_too_long_happened" "A login has to be finished within ten minutes."
    TookTooLongRemedy "took_too_long_remedy" "Please start again."
    NoCookie "no_cookie" "Your browser sent no cookie"
    NoCookieHappened "no_cookie_happened" "Without it, this site cannot tell that you are the one who began this login."
    NoCookieRemedy "no_cookie_remedy" "Allow cookies for this site and start again in the same browser and window."
    UsedUp "used_up" "This login is finished already"
    UsedUpHappened "used_up_happened" "The page was loaded a second time, perhaps by the back button."
    UsedUpRemedy "used_up_remedy" "If you are not logged in, please start again."
    Unreadable "unreadable" "This link does not work"
    UnreadableHappened "unreadable_happened" "It is incomplete, or was not made for this browser."
    UnreadableRemedy "unreadable_remedy" "Please start again here, and not from a link or a bookmark."
    NotFinished "not_finished" "The login is not finished"
    NotFinishedHappened "not_finished_happened" "{} still wants something of you, such as a confirmation."
    NotFinishedRemedy "not_finished_remedy" "Please start again and follow its pages to the end."
    ProviderDown "provider_down" "{} does not answer"
    ProviderDownHappened "provider_down_happened" "It confirms who you are, and is out of reach or busy."
    ProviderDownRemedy "provider_down_remedy" "Please try again in a minute."
    ProviderUnclear "provider_unclear" "{} gave no usable answer"
    ProviderUnclearHappened "provider_unclear_happened" "What it said about you could not be verified, so you were not logged in."
    ProviderUnclearRemedy "provider_unclear_remedy" "Please try again. If it stays like this, tell whoever runs this site."
    WrongAccount "wrong_account" "That was another account"
    WrongAccountHappened "wrong_account_happened" "You are logged in with one account, and chose a different one at {}."
    WrongAccountRemedy "wrong_account_remedy" "Try again with the account that you use here, or log out first."
    ProofUnmet "proof_unmet" "A stronger login is needed"
    ProofUnmetHappened "proof_unmet_happened" "This page needs a second factor, which {} did not ask you for or did not confirm."
    ProofUnmetRemedy "proof_unmet_remedy" "Set up a second factor there, and try again."
    NoSuchProvider "no_such_provider" "There is no such login"
    NoSuchProviderHappened "no_such_provider_happened" "This site has no login by that name."
    NoSuchProviderRemedy "no_such_provider_remedy" "Please start again and choose one that is offered."
    TooMany "too_many" "Too many attempts"
    TooManyHappened "too_many_happened" "There were too many failed logins from your network."
    TooManyRemedy "too_many_remedy" "Please wait five minutes, then try again."
    Misconfigured "misconfigured" "Login is not set up correctly"
    MisconfiguredHappened "misconfigured_happened" "This site and {} do not fit together. It is not your fault."
    MisconfiguredRemedy "misconfigured_remedy" "Please tell whoever runs this site."
    Unavailable "unavailable" "Login is out of order"
    UnavailableHappened "unavailable_happened" "This site cannot log anybody in at the moment."
    UnavailableRemedy "unavailable_remedy" "Please try again in a minute."
}

impl Word {
    /// The word of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.name() == name)
    }

    /// How many names stand in the text.
    #[must_use]
    pub fn slots(self) -> usize {
        slots(self.english())
    }
}

/// How many `{}` a text has.
pub(super) fn slots(text: &str) -> usize {
    text.matches("{}").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_each_word_and_each_reason() {
        let document = include_str!("../../docs/pages.md");
        for word in Word::ALL {
            let line = format!("| `{}` | {} |\n", word.name(), word.english());
            assert!(document.contains(&line), "{line}");
        }
        for reason in super::super::Reason::ALL {
            let (title, happened, remedy) = reason.words();
            let said = [title, happened, remedy].map(Word::english).join(" | ");
            let line = format!("| `{}` | {} | {said} |\n", title.name(), reason.status());
            assert!(document.contains(&line), "{line}");
        }
    }

    #[test]
    fn each_word_has_a_name_and_a_text_of_its_own() {
        for (at, word) in Word::ALL.iter().enumerate() {
            assert_eq!(Word::named(word.name()), Some(*word));
            assert!(Word::ALL.iter().take(at).all(|other| other.name() != word.name()), "{word:?}");
            assert!(!word.english().is_empty() && word.slots() <= 2, "{word:?}");
        }
    }
}
