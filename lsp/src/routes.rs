//! Which handler answers what. A handler has the state to itself, in the order in which messages came.

use std::ops::ControlFlow;

use async_lsp::lsp_types::notification::{
    DidChangeConfiguration, DidChangeTextDocument, DidChangeWatchedFiles, DidCloseTextDocument, DidOpenTextDocument,
    DidSaveTextDocument, Initialized, SetTrace,
};
use async_lsp::lsp_types::request::{
    CallHierarchyIncomingCalls, CallHierarchyOutgoingCalls, CallHierarchyPrepare, CodeActionRequest, CodeLensRequest,
    CodeLensResolve, Completion, DocumentSymbolRequest, ExecuteCommand, FoldingRangeRequest, Formatting,
    GotoDefinition, HoverRequest, InlayHintRequest, References, Rename, SemanticTokensFullRequest, Shutdown,
    SignatureHelpRequest, WorkspaceSymbolRequest,
};
use async_lsp::lsp_types::{
    CompletionResponse, DocumentSymbolResponse, GotoDefinitionResponse, SemanticTokensResult, WorkspaceSymbolResponse,
};
use async_lsp::router::Router;
use async_lsp::{ClientSocket, ErrorCode, ResponseError};
use futures_util::future::Either;

use crate::Options;
use crate::notebooks::{
    DidChangeNotebook, DidCloseNotebook, DidOpenNotebook, DidSaveNotebook, Initialize, synchronization,
};
use crate::readings::Read;
use crate::server::{Check, FRESH, GitAnswered, Loaded, Looked, Server, Tick, now};
use crate::sql_checks::{AllAnswered, Answered, Found, KeyLookedFor, Reached};
use crate::sql_commands::{EXPLAIN, RUN};
use crate::traces::Sign;

/// All handlers around the state.
pub(crate) fn router(client: ClientSocket, options: Options) -> Router<Server> {
    let mut router = Router::new(Server::new(client, options));
    router
        .request::<Initialize, _>(|server, params| {
            let answer = serde_json::to_value(server.initialize(params)).map(|mut answer| {
                answer["capabilities"]["notebookDocumentSync"] = synchronization();
                answer
            });
            async move { answer.map_err(|error| ResponseError::new(ErrorCode::INTERNAL_ERROR, error)) }
        })
        .request::<Shutdown, _>(|_, ()| async move { Ok(()) })
        .request::<CodeLensRequest, _>(|server, params| {
            let lenses = server.lenses(&params);
            async move { Ok(Some(lenses)) }
        })
        .request::<CodeLensResolve, _>(|server, lens| {
            let lens = server.resolved(lens);
            async move { lens }
        })
        .request::<HoverRequest, _>(|server, params| {
            let hover = server.hover(&params);
            async move { Ok(hover) }
        })
        .request::<Completion, _>(|server, params| {
            let at = params.text_document_position;
            let has_snippets = server.has_snippets;
            let url = &at.text_document.uri;
            let list = server
                .sql_at(url, at.position, |sql| sql.completion(at.position, has_snippets))
                .or_else(|| server.settings(url, |settings| settings.completion(at.position)));
            async move { Ok(list.map(CompletionResponse::List)) }
        })
        .request::<CallHierarchyPrepare, _>(|server, params| {
            let at = params.text_document_position_params;
            let items = server.call_hierarchy(&at.text_document.uri, at.position);
            async move { Ok(items) }
        })
        .request::<CallHierarchyIncomingCalls, _>(|server, params| {
            let calls = server.incoming_calls(&params.item);
            async move { Ok(calls) }
        })
        .request::<CallHierarchyOutgoingCalls, _>(|server, params| {
            let calls = server.outgoing_calls(&params.item);
            async move { Ok(calls) }
        })
        .request::<SignatureHelpRequest, _>(|server, params| {
            let at = params.text_document_position_params;
            let help = server.sql_at(&at.text_document.uri, at.position, |sql| sql.signature(at.position));
            async move { Ok(help.flatten()) }
        })
        .request::<CodeActionRequest, _>(|server, params| {
            let url = &params.text_document.uri;
            let mut actions = server.sql_actions(url, params.range).unwrap_or_default();
            actions.extend(server.function_actions(url, params.range.start).unwrap_or_default());
            let actions = Some(actions);
            async move { Ok(actions) }
        })
        .request::<DocumentSymbolRequest, _>(|server, params| {
            let url = &params.text_document.uri;
            let symbols = server
                .sql(url, |sql| sql.symbols())
                .or_else(|| server.code_symbols(url));
            async move { Ok(symbols.map(DocumentSymbolResponse::Nested)) }
        })
        .request::<FoldingRangeRequest, _>(|server, params| {
            let folds = server.sql(&params.text_document.uri, |sql| sql.folds());
            async move { Ok(folds) }
        })
        .request::<GotoDefinition, _>(|server, params| {
            let at = params.text_document_position_params;
            let url = &at.text_document.uri;
            let place = server
                .sql_at(url, at.position, |sql| sql.definition(url, at.position))
                .flatten();
            let places = match place {
                Some(place) => vec![place],
                None => server.code_at(url, at.position),
            };
            async move { Ok((!places.is_empty()).then_some(GotoDefinitionResponse::Array(places))) }
        })
        .request::<References, _>(|server, params| {
            let at = params.text_document_position;
            let url = &at.text_document.uri;
            let places = server
                .sql_at(url, at.position, |sql| sql.references(url, at.position))
                .flatten();
            let search = server.search_of_function(url, at.position);
            async move {
                match search {
                    Some(search) => Ok(tokio::task::spawn_blocking(|| search.run()).await.ok()),
                    None => Ok(places),
                }
            }
        })
        .request::<WorkspaceSymbolRequest, _>(|server, params| {
            let symbols = server.workspace_symbols(&params.query);
            async move { Ok(Some(WorkspaceSymbolResponse::Flat(symbols))) }
        })
        .request::<InlayHintRequest, _>(|server, params| {
            let hints = server.inlay_hints(&params);
            async move { Ok(hints) }
        })
        .request::<ExecuteCommand, _>(|server, params| {
            let is_query = [RUN, EXPLAIN].contains(&params.command.as_str());
            let work = if is_query {
                Either::Left(server.run_command(params))
            } else {
                Either::Right(server.work(&params))
            };
            async move {
                match work {
                    Either::Left(query) => query.await,
                    Either::Right(work) => {
                        let (work, desk) = work?;
                        desk.carry_out(work).await
                    }
                }
            }
        })
        .request::<Rename, _>(|server, params| {
            let at = params.text_document_position;
            let url = &at.text_document.uri;
            let edit = server.sql_at(url, at.position, |sql| sql.rename(url, at.position, &params.new_name));
            async move { Ok(edit.flatten()) }
        })
        .request::<Formatting, _>(|server, params| {
            let edits = server.sql(&params.text_document.uri, |sql| sql.format());
            async move { Ok(edits) }
        })
        .request::<SemanticTokensFullRequest, _>(|server, params| {
            let tokens = server.sql_tokens(&params.text_document.uri);
            async move { Ok(tokens.map(SemanticTokensResult::Tokens)) }
        })
        .notification::<Initialized>(|server, _| {
            server.begin();
            ControlFlow::Continue(())
        })
        .notification::<DidOpenTextDocument>(|server, params| {
            let document = params.text_document;
            server
                .documents
                .open(document.uri.clone(), &document.language_id, document.text);
            server.check_soon(document.uri);
            ControlFlow::Continue(())
        })
        .notification::<DidChangeTextDocument>(|server, params| {
            let encoding = server.encoding;
            server
                .documents
                .change(&params.text_document.uri, params.content_changes, encoding);
            server.check_soon(params.text_document.uri);
            ControlFlow::Continue(())
        })
        .notification::<DidCloseTextDocument>(|server, params| {
            let url = params.text_document.uri;
            let closed = server.documents.close(&url);
            server.forget_checks(&url);
            if let Some(path) = closed.and_then(|document| document.path) {
                server.workspace.close(&path);
                server.look_soon();
            }
            ControlFlow::Continue(())
        })
        .notification::<DidSaveTextDocument>(|server, _| {
            server.look_soon();
            ControlFlow::Continue(())
        })
        .notification::<DidChangeWatchedFiles>(|server, _| {
            server.look_soon();
            ControlFlow::Continue(())
        })
        .notification::<DidOpenNotebook>(|server, params| {
            server.open_notebook(params);
            ControlFlow::Continue(())
        })
        .notification::<DidChangeNotebook>(|server, params| {
            server.change_notebook(params);
            ControlFlow::Continue(())
        })
        .notification::<DidCloseNotebook>(|server, params| {
            server.close_notebook(params);
            ControlFlow::Continue(())
        })
        .notification::<DidSaveNotebook>(|_, _| ControlFlow::Continue(()))
        .notification::<DidChangeConfiguration>(|server, params| {
            server.prefer(&params.settings);
            server.refresh();
            server.check_code();
            ControlFlow::Continue(())
        })
        .notification::<SetTrace>(|_, _| ControlFlow::Continue(()))
        .event::<Loaded>(|server, Loaded(workspace)| {
            server.workspace = workspace;
            server.all_is_new();
            server.look_soon();
            // Classes may be traced because of a base in another file.
            server.refresh();
            ControlFlow::Continue(())
        })
        .event::<Looked>(|server, Looked(scan)| {
            server.take_look(scan);
            ControlFlow::Continue(())
        })
        .event::<Read>(|server, read| {
            server.take(read);
            ControlFlow::Continue(())
        })
        .event::<GitAnswered>(|server, GitAnswered(answers)| {
            server.take_git(answers);
            ControlFlow::Continue(())
        })
        .event::<Check>(|server, Check(url)| {
            server.check(&url);
            ControlFlow::Continue(())
        })
        .event::<Reached>(|server, Reached(connection)| {
            server.reach(connection);
            ControlFlow::Continue(())
        })
        .event::<Answered>(|server, answered| {
            server.take_answer(answered);
            ControlFlow::Continue(())
        })
        .event::<Found>(|server, found| {
            server.take_found(found);
            ControlFlow::Continue(())
        })
        .event::<KeyLookedFor>(|server, looked| {
            server.take_key(looked);
            ControlFlow::Continue(())
        })
        .event::<AllAnswered>(|server, AllAnswered(url)| {
            server.tell_mistakes(&url);
            ControlFlow::Continue(())
        })
        .event::<Tick>(|server, _| {
            if server.figures.latest().is_some_and(|latest| now() - latest < FRESH) {
                server.refresh();
            }
            ControlFlow::Continue(())
        })
        .event::<Sign>(|_, _| ControlFlow::Continue(()))
        // What an editor sends that this version does not know is no reason to end.
        .unhandled_notification(|_, _| ControlFlow::Continue(()));
    router
}
