//! What is administered. The edge has checked who asks.

use super::{Answer, DoneBody, Endpoints, check_scopes, done, list};
use crate::{
    error::Error,
    guard::{Backend, session::SessionNote},
    json::{document, fault::DocumentFault, object::described},
    session::{
        SessionId,
        step::{Asked, Disable, End, Narrow, Step, Which},
    },
};

described! {
    /// A subject.
    pub(super) struct SubjectBody as Subject, refused {
        /// Who: 1 to 255 bytes.
        #[facts(minLength = 1, maxLength = 255)]
        subject: String,
    }
}

described! {
    /// What the session may still do, from its next refresh on.
    pub(super) struct NarrowBody as NarrowSession, refused {
        /// Whose it is.
        #[facts(minLength = 1, maxLength = 255)]
        subject: String,
        /// What is left: some of what it has.
        scopes: Vec<String>,
    }
}

impl<B: Backend> Endpoints<'_, B> {
    /// `GET /admin/sessions?subject=`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub async fn list_of(&self, subject: &str) -> Result<Answer, Error> {
        let listed = self.step(&self.object_of(subject), &Step::List).await?;
        Ok(Answer::json(200, &list(&listed, None), SessionNote::default()))
    }

    /// `DELETE /admin/sessions?subject=`: log out everywhere.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub async fn end_all_of(&self, subject: &str) -> Result<Answer, Error> {
        let ended = self.end((self.object_of(subject), End::all())).await?;
        self.ended(ended, None, SessionNote::default())
    }

    /// The same because of something that is done.
    ///
    /// # Errors
    /// None that says that it is not done.
    pub(in crate::guard) async fn end_all_surely(&self, subject: &str) -> Result<Answer, Error> {
        self.end_surely((self.object_of(subject), End::all()), SessionNote::default()).await
    }

    /// Ends one session of a subject, or all but it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a session that the subject does not have, [`Error::StoreUnavailable`].
    pub async fn end_for(&self, subject: &str, which: Which, id: &str) -> Result<Answer, Error> {
        let id = SessionId::parse(id).ok_or(Error::NotFound)?;
        let ended = self.end((self.object_of(subject), End::of(which, id))).await?;
        self.ended(ended, None, SessionNote::default())
    }

    /// `PATCH /admin/sessions/{id}` `{subject, scopes}`: from the next refresh on.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::NotFound`].
    pub async fn narrow(&self, id: &str, body: &[u8]) -> Result<Answer, Error> {
        let NarrowBody { subject, scopes } =
            document::parse(body).map_err(DocumentFault::into_invalid_field)?;
        let id = SessionId::parse(id).ok_or(Error::NotFound)?;
        check_scopes(&scopes)?;
        let includes = &self.policy.scope_includes;
        let scopes = scopes
            .into_iter()
            .map(|scope| Asked { holders: includes.holders_of(&scope).to_vec(), scope })
            .collect();
        let step = Step::Narrow(Narrow { id, scopes });
        match self.step(&self.object_of(&subject), &step).await?.check() {
            Ok(()) => Ok(Answer::json(200, &DoneBody { pending: None }, SessionNote::default())),
            Err(Error::SessionEnded) => Err(Error::NotFound),
            Err(error) => Err(error),
        }
    }

    /// `POST /admin/subjects/disable`.
    ///
    /// # Errors
    /// [`Error::InvalidField`], [`Error::StoreUnavailable`].
    pub async fn disable(&self, body: &[u8]) -> Result<Answer, Error> {
        self.disable_subject(&subject_of(body)?).await.map(done)
    }

    /// The same; whether it is known wherever revocations are kept.
    pub(in crate::guard) async fn disable_subject(&self, subject: &str) -> Result<bool, Error> {
        let sub = subject.to_owned();
        let step = Step::Disable(Disable { sub, terms: self.own.terms });
        let (_, known) = self.apply(self.object_of(subject), &step).await?;
        Ok(known)
    }

    /// `POST /admin/subjects/enable`.
    ///
    /// # Errors
    /// As [`Endpoints::disable`].
    pub async fn enable(&self, body: &[u8]) -> Result<Answer, Error> {
        self.enable_subject(&subject_of(body)?).await?;
        Ok(done(true))
    }

    /// The same.
    pub(in crate::guard) async fn enable_subject(&self, subject: &str) -> Result<(), Error> {
        self.step(&self.object_of(subject), &Step::Enable).await.map(drop)
    }

    /// `DELETE /admin/subjects?subject=`.
    ///
    /// # Errors
    /// [`Error::StoreUnavailable`].
    pub async fn forget(&self, subject: &str) -> Result<Answer, Error> {
        let (_, known) = self.apply(self.object_of(subject), &Step::Forget).await?;
        Ok(done(known))
    }
}

fn subject_of(body: &[u8]) -> Result<String, Error> {
    let SubjectBody { subject } =
        document::parse(body).map_err(DocumentFault::into_invalid_field)?;
    if (1..=255).contains(&subject.len()) {
        Ok(subject)
    } else {
        Err(Error::invalid_field("subject", "expected 1 to 255 bytes"))
    }
}
